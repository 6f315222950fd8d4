namespace KprobeTrace.Recording;

/// <summary>Where a run saves its guest, once, and into which file.</summary>
public sealed record SavePoint
{
    /// <summary>The file, which is replaced once the state is whole.</summary>
    public required string Path { get; init; }

    /// <summary>Behind the instruction at which the first event of this name came; null where <see cref="Instructions"/> says it.</summary>
    public string? Event { get; init; }

    /// <summary>When so many instructions have retired, counted from the guest's first.</summary>
    public long Instructions { get; init; }
}
