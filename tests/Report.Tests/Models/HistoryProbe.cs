using KprobeTrace.Tracing;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>A probe of a history.</summary>
/// <param name="Definition">As the trace defines it.</param>
/// <param name="Function">Number of the function that it is placed in.</param>
internal sealed record HistoryProbe(TraceProbe Definition, int Function)
{
    /// <summary>True for a return probe.</summary>
    internal bool IsReturn => Definition.Type == 'r';

    /// <summary>True where it is hit by each call of its function, at the entry.</summary>
    internal bool IsEntry => !IsReturn && Definition.Offset == 0;
}
