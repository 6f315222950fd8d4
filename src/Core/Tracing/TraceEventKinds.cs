namespace KprobeTrace.Tracing;

/// <summary>What the kinds of events are called, everywhere.</summary>
internal static class TraceEventKinds
{
    private static readonly string[] _names = ["pre", "post", "fault", "ret"];

    /// <summary>The names by the kinds' numbers.</summary>
    internal static ReadOnlySpan<string> Names => _names;

    /// <summary>The names in a sentence: <c>pre, post, fault, ret</c>.</summary>
    internal static string List { get; } = string.Join(", ", _names);

    /// <summary>The names in a sentence: <c>pre, post, fault or ret</c>.</summary>
    internal static string Choice { get; } = string.Join(", ", _names[..^1]) + " or " + _names[^1];

    /// <summary>The name of a kind.</summary>
    internal static string NameOf(TraceEventKind kind) => _names[(int)kind];

    /// <summary>True for the kinds that are hits of a probe, false for those that follow a hit.</summary>
    internal static bool IsHit(TraceEventKind kind) => kind is TraceEventKind.Pre or TraceEventKind.Return;

    /// <summary>The kind of a name; null where there is none.</summary>
    internal static TraceEventKind? Find(string name) =>
        Array.IndexOf(_names, name) is var number and >= 0 ? (TraceEventKind)number : null;
}
