namespace KprobeTrace.Tests.Report.Models;

/// <summary>One thing that happens. A step that cannot happen (a return outside of any call) does nothing.</summary>
internal sealed record HistoryStep(HistoryStepKind Kind)
{
    /// <summary>Number of the task.</summary>
    public int Task { get; init; }

    /// <summary>The processor.</summary>
    public int Cpu { get; init; }

    /// <summary>Number of the function that is called, or of the probe that is hit.</summary>
    public int Target { get; init; }

    /// <summary>Virtual time that passes before, in nanoseconds.</summary>
    public ulong Ns { get; init; }

    /// <summary>What follows a hit.</summary>
    public HistoryOutcome Outcome { get; init; }

    /// <summary>What a return says of its entry.</summary>
    public HistoryNaming Naming { get; init; }

    /// <summary>True where the probes' filters let it not through: it counts as a hit but is not recorded.</summary>
    public bool IsFiltered { get; init; }

    /// <summary>Whether the event has registers, a caller and a stack.</summary>
    public HistoryParts Parts { get; init; }

    /// <summary>What values, texts and numbers are drawn from; 0 gives the plainest.</summary>
    public ulong Seed { get; init; }
}
