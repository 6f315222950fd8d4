namespace KprobeTrace.Tracing;

/// <summary>A probe as the trace describes it.</summary>
internal sealed record TraceProbe
{
    /// <summary>Number that events name it by; unique in the trace, not negative.</summary>
    public required int Id { get; init; }

    /// <summary><c>p</c> for a probe, <c>r</c> for a return probe.</summary>
    public required char Type { get; init; }

    /// <summary>Event group, <c>kprobes</c> unless given.</summary>
    public string Group { get; init; } = "kprobes";

    /// <summary>Event name.</summary>
    public required string Name { get; init; }

    /// <summary>Symbol it was placed at, or empty.</summary>
    public string Symbol { get; init; } = "";

    /// <summary>Bytes from the symbol's address to the probe's.</summary>
    public ulong Offset { get; init; }

    /// <summary>Address, 0 while it is unknown (a module that is not loaded).</summary>
    public ulong Address { get; init; }

    /// <summary>Module the symbol lives in, or empty for the kernel itself.</summary>
    public string Module { get; init; } = "";

    /// <summary>The definition as the user wrote it.</summary>
    public string Definition { get; init; } = "";

    /// <summary>Filter expression, or empty.</summary>
    public string Filter { get; init; } = "";

    /// <summary>State at the time of writing: <c>armed</c>, <c>pending</c>, <c>disabled</c>, <c>refused</c>, <c>gone</c>.</summary>
    public string State { get; init; } = "armed";

    /// <summary>Names and types of the fetched arguments in the order of an event's argument array.</summary>
    public IReadOnlyList<TraceArgument> Arguments { get; init; } = [];
}
