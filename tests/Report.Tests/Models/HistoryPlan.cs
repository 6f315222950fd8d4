using KprobeTrace.Tracing;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>What a history is made of. Leaving out steps gives another plan that makes sense: so it is shrunk.</summary>
internal sealed record HistoryPlan
{
    /// <summary>What there is.</summary>
    public required HistoryWorld World { get; init; }

    /// <summary>What happens.</summary>
    public required IReadOnlyList<HistoryStep> Steps { get; init; }

    /// <summary>The kinds of events that are recorded (kprobe-record's <c>--kinds</c>).</summary>
    public IReadOnlyList<TraceEventKind> Kinds { get; init; } =
        [TraceEventKind.Pre, TraceEventKind.Post, TraceEventKind.Fault, TraceEventKind.Return];

    /// <summary>How the guest ended; null where the recording was cut off before its footer.</summary>
    public string? Ended { get; init; } = "poweroff";

    /// <summary>What is changed of the events in the end.</summary>
    public IReadOnlyList<HistoryEdit> Edits { get; init; } = [];

    /// <summary>Events after which a chunk of the trace is closed.</summary>
    public int EventsPerChunk { get; init; } = 16384;
}
