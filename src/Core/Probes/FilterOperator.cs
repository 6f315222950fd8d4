namespace KprobeTrace.Probes;

/// <summary>The comparisons of filter expressions.</summary>
internal enum FilterOperator : byte
{
    /// <summary><c>~</c>: matches a pattern of <c>*</c>, <c>?</c> and <c>[…]</c>.</summary>
    Glob,

    /// <summary><c>!=</c>.</summary>
    NotEqual,

    /// <summary><c>==</c>.</summary>
    Equal,

    /// <summary><c>&lt;=</c>.</summary>
    LessOrEqual,

    /// <summary><c>&lt;</c>.</summary>
    Less,

    /// <summary><c>&gt;=</c>.</summary>
    GreaterOrEqual,

    /// <summary><c>&gt;</c>.</summary>
    Greater,

    /// <summary><c>&amp;</c>: any bit in common.</summary>
    AnyBit,
}
