using KprobeTrace.Machine;
using KprobeTrace.Tracing;

namespace KprobeTrace.Recording;

/// <summary>What a finished recording came to.</summary>
public sealed record RunEnd
{
    /// <summary>How the machine ended.</summary>
    public required PowerState Power { get; init; }

    /// <summary>Whether the kernel crashed: a triple fault, or a reset after a panic.</summary>
    public required bool Crashed { get; init; }

    /// <summary>Address, and symbol if it has one, at which the guest is stuck when <see cref="Power"/> is <see cref="PowerState.Stuck"/>; else empty.</summary>
    public string StuckAt { get; init; } = "";

    /// <summary>The trace's footer.</summary>
    public required TraceFooter Footer { get; init; }

    /// <summary>Bytes of the trace file.</summary>
    public required long Bytes { get; init; }

    /// <summary>Events written, by kind in the order pre, post, fault, return.</summary>
    public required IReadOnlyList<long> EventsByKind { get; init; }

    /// <summary>The hits of every probe.</summary>
    public required IReadOnlyList<ProbeHits> Hits { get; init; }

    /// <summary>Names of the probes that never fired.</summary>
    public IEnumerable<string> NeverFired => Hits.Where(static p => p.Hits == 0).Select(static p => p.Name);

    /// <summary>Points at which the guest was to be saved and by which the run did not come.</summary>
    public IReadOnlyList<SavePoint> NotSaved { get; init; } = [];

    /// <summary>Probes that were refused when their module came, and why.</summary>
    public required IReadOnlyList<(string Name, string Reason)> Refused { get; init; }
}
