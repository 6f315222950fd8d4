namespace KprobeTrace.Probes;

/// <summary>One fetch argument of a definition.</summary>
internal sealed class ProbeArgument
{
    internal ProbeArgument(string name, string text, FetchType type, int count, FetchInstruction[] steps)
    {
        Name = name;
        Text = text;
        Type = type;
        Count = count;
        Steps = steps;
    }

    /// <summary>The argument's name, given or <c>argN</c>.</summary>
    public string Name { get; }

    /// <summary>The fetch expression as written behind <c>NAME=</c>, type included.</summary>
    public string Text { get; }

    /// <summary>The type of a value or of an array's elements.</summary>
    public FetchType Type { get; }

    /// <summary>The number of array elements, 0 for a scalar.</summary>
    public int Count { get; }

    /// <summary>The argument's fixed part in a record, in bytes.</summary>
    public int RecordSize => Type.Size * Math.Max(1, Count);

    internal FetchInstruction[] Steps { get; }
}
