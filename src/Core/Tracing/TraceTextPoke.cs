namespace KprobeTrace.Tracing;

/// <summary>A change of the guest's code while it ran.</summary>
/// <param name="TimeNs">Virtual time in nanoseconds.</param>
/// <param name="Instructions">Instructions retired before it.</param>
/// <param name="Address">Address of the first byte that changed.</param>
/// <param name="Old">Bytes before.</param>
/// <param name="New">Bytes after.</param>
/// <param name="Reason">Why, in a word: <c>guest</c>, <c>module</c> …</param>
internal readonly record struct TraceTextPoke(
    ulong TimeNs,
    ulong Instructions,
    ulong Address,
    ReadOnlyMemory<byte> Old,
    ReadOnlyMemory<byte> New,
    string Reason);
