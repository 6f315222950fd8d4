namespace KprobeTrace.Export;

/// <summary>Which of a probe's arguments an event has.</summary>
internal enum CtfArguments
{
    /// <summary>None: it was recorded behind the instruction, or the probe takes none.</summary>
    None,

    /// <summary>All of them.</summary>
    All,

    /// <summary>All but those that could not be read.</summary>
    Some,
}
