using KprobeTrace.Session;

namespace KprobeTrace.Recording;

/// <summary>The guest of a recording, where its probes are and when it stops.</summary>
public sealed record RecordingOptions : GuestOptions
{
    /// <summary>Probe definitions, one a line of kprobe_events.</summary>
    public IReadOnlyList<string> Probes { get; init; } = [];

    /// <summary>Files with one definition a line, which follow <see cref="Probes"/>; <c>#</c> starts a comment.</summary>
    public IReadOnlyList<string> ProbeFiles { get; init; } = [];

    /// <summary>Leave out definitions that are refused instead of refusing the run.</summary>
    public bool SkipRefused { get; init; }

    /// <summary>Filters, each <c>NAME: EXPRESSION</c>.</summary>
    public IReadOnlyList<string> Filters { get; init; } = [];

    /// <summary>Which events are written.</summary>
    public EventKinds Kinds { get; init; } = EventKinds.All;

    /// <summary>The trace file.</summary>
    public string Output { get; init; } = "trace.mpk";

    /// <summary>Stop when so many instructions have retired; 0 for no limit.</summary>
    public long MaxInstructions { get; init; }

    /// <summary>Stop when so many events were written; 0 for no limit.</summary>
    public long MaxEvents { get; init; }

    /// <summary>Where the guest is saved while it runs, for others to go on from (<see cref="GuestOptions.From"/>).</summary>
    public IReadOnlyList<SavePoint> SaveAt { get; init; } = [];

    /// <summary>Receives what the user should know before the guest runs, one line each; null for nothing.</summary>
    public Action<string>? Warn { get; init; }

    /// <summary>The program's name and version, for the trace's header.</summary>
    public string Producer { get; init; } = "";
}
