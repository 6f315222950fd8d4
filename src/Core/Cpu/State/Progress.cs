namespace KprobeTrace.Cpu.State;

/// <summary>What tells a guest that goes on from one that keeps the processor busy and retires nothing.</summary>
internal struct Progress
{
    /// <summary>Retired instructions when the run loop last went round; -1 before that.</summary>
    public long LastRetired;

    /// <summary>Retired instructions before the instruction that repeats; -1 when none has for long.</summary>
    public long RepeatRetired;

    /// <summary>How often that instruction has been looked at while it repeats.</summary>
    public long RepeatedStretches;

    /// <summary>Rounds of the run loop since the last instruction retired.</summary>
    public int RoundsWithout;

    /// <summary>Set when the guest can be expected to retire nothing ever again.</summary>
    public int Stuck;

    /// <summary>Nothing has been seen yet.</summary>
    public static Progress None => new() { LastRetired = -1, RepeatRetired = -1 };
}
