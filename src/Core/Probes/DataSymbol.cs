namespace KprobeTrace.Probes;

/// <summary>The place that <c>@SYM</c> names: a symbol and bytes behind it.</summary>
internal sealed record DataSymbol(string Name, long Offset);
