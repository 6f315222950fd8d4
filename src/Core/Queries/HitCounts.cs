using KprobeTrace.Store;
using KprobeTrace.Tracing;

namespace KprobeTrace.Queries;

/// <summary>What counts as a hit of a probe: each is one <c>pre</c> or <c>ret</c> event.</summary>
/// <remarks>
/// The <c>post</c> or <c>fault</c> event that follows a <c>pre</c> belongs to the same hit. A probe of which neither
/// <c>pre</c> nor <c>ret</c> was recorded is counted by what was.
/// </remarks>
internal static class HitCounts
{
    /// <summary>SQL: true where an event of number <paramref name="kind"/> of <paramref name="table"/> counts as a hit.</summary>
    /// <param name="kind">SQL of the kind's number.</param>
    /// <param name="table">A name for a row with <c>run</c> and <c>probe</c>.</param>
    internal static string IsHit(string kind, string table) => Sql($"{kind} IN ({Numbers})", table + ".");

    /// <summary>SQL: the same of a row of the view <c>events</c> or of a single event.</summary>
    internal static string IsHitOfView => Sql($"kind IN ({Names})", "");

    private static string Numbers { get; } = $"{(int)TraceEventKind.Pre}, {(int)TraceEventKind.Return}";

    private static string Names { get; } =
        $"{SqlText.Literal(TraceEventKinds.NameOf(TraceEventKind.Pre))}, {SqlText.Literal(TraceEventKinds.NameOf(TraceEventKind.Return))}";

    private static string Sql(string isPreOrRet, string row) =>
        $"({isPreOrRet} OR ({row}run, {row}probe) NOT IN (SELECT run, probe FROM kt_tally WHERE kind IN ({Numbers})))";
}
