namespace KprobeTrace.Kprobes;

/// <summary>One byte written into the fetch view.</summary>
/// <param name="Address">The byte's address.</param>
/// <param name="Old">The byte the fetch view held before.</param>
/// <param name="New">The byte it holds now.</param>
/// <param name="Reason">Why: <c>arm</c>, <c>disarm</c> or <c>gone</c>.</param>
internal readonly record struct TextPoke(ulong Address, byte Old, byte New, string Reason);
