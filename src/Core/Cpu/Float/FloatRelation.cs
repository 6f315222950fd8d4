namespace KprobeTrace.Cpu.Float;

/// <summary>The outcome of a comparison.</summary>
internal enum FloatRelation
{
    /// <summary>The first operand is smaller.</summary>
    Less,

    /// <summary>The operands are equal; zeros are, whatever their signs.</summary>
    Equal,

    /// <summary>The first operand is larger.</summary>
    Greater,

    /// <summary>An operand is a NaN.</summary>
    Unordered,
}
