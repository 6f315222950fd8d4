namespace KprobeTrace.Tracing;

/// <summary>One fetched argument of a probe.</summary>
/// <param name="Name">Name of the argument, a column of the event's view.</param>
/// <param name="Type">Type as the definition language spells it: <c>u8</c> … <c>x64</c>, <c>s32</c>, <c>string</c>,
/// <c>ustring</c>, <c>symbol</c>, <c>char</c>, <c>b4@0/32</c>, with <c>[n]</c> behind it for an array.</param>
internal sealed record TraceArgument(string Name, string Type)
{
    /// <summary>What the type says.</summary>
    internal ArgumentKind Kind { get; } = ArgumentKind.Parse(Type);
}
