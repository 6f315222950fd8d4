using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>A probe of the trace that is being imported.</summary>
internal sealed class ImportedProbe
{
    internal ImportedProbe(TraceProbe definition, SequenceSpool.List hits)
    {
        Hits = hits;
        Definition = definition;
        Redefine(definition);
    }

    /// <summary>The latest definition.</summary>
    internal TraceProbe Definition { get; private set; }

    /// <summary>Sequence numbers of its events.</summary>
    internal SequenceSpool.List Hits { get; }

    /// <summary>The JSON keys of its arguments.</summary>
    internal byte[][] ArgumentKeys { get; private set; } = [];

    /// <summary>Names and types of its arguments, the names reduced to what a column may be called.</summary>
    internal IReadOnlyList<TraceArgument> Arguments { get; private set; } = [];

    /// <summary>The address its events have unless they say otherwise; the first one seen.</summary>
    internal ulong EventAddress { get; set; }

    internal ulong HitCount { get; set; }

    internal ulong Missed { get; set; }

    internal string? State { get; set; }

    internal void Redefine(TraceProbe definition)
    {
        Definition = definition;
        HashSet<string> taken = new(StringComparer.OrdinalIgnoreCase);
        TraceArgument[] arguments = new TraceArgument[definition.Arguments.Count];
        for (int i = 0; i < arguments.Length; i++)
        {
            string name = ColumnName(definition.Arguments[i].Name, i);
            while (!taken.Add(name))
            {
                name += "_";
            }

            arguments[i] = new TraceArgument(name, definition.Arguments[i].Type);
        }

        Arguments = arguments;
        ArgumentKeys = ArgumentJson.Keys(arguments);
    }

    /// <summary>A name that is safe as a JSON key and path: definitions allow no other, but a trace may hold any.</summary>
    private static string ColumnName(string name, int position)
    {
        if (name.Length is 0 or > 128)
        {
            return $"arg{position + 1}";
        }

        return string.Create(name.Length, name, static (span, source) =>
        {
            for (int i = 0; i < span.Length; i++)
            {
                char c = source[i];
                span[i] = char.IsAsciiLetterOrDigit(c) ? c : '_';
            }
        });
    }
}
