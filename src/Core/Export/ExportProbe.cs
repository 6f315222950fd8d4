using KprobeTrace.Tracing;

namespace KprobeTrace.Export;

/// <summary>A probe, for exports.</summary>
internal sealed record ExportProbe(
    long Id, string Name, string Symbol, long Address, IReadOnlyList<TraceArgument> Arguments);
