namespace KprobeTrace.Tests.Symbols;

/// <summary>How a kallsyms table says where its symbols are.</summary>
internal enum KallsymsAddressing
{
    /// <summary>8-byte addresses.</summary>
    Absolute,

    /// <summary>Offsets from a base, those of per-CPU symbols absolute.</summary>
    BaseRelativeButPerCpu,

    /// <summary>Offsets from a base.</summary>
    BaseRelative,

    /// <summary>Offsets from the place where the offset stands.</summary>
    PlaceRelative,
}
