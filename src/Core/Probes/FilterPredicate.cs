namespace KprobeTrace.Probes;

/// <summary>One comparison of a compiled filter with the places to go on at.</summary>
internal struct FilterPredicate
{
    /// <summary>The target that ends the evaluation with a match.</summary>
    public const int Match = -1;

    /// <summary>The target that ends the evaluation without one.</summary>
    public const int Mismatch = -2;

    /// <summary>Where the value comes from.</summary>
    public FilterField Field;

    /// <summary>The comparison.</summary>
    public FilterOperator Operator;

    /// <summary>True when numbers compare as signed.</summary>
    public bool IsSigned;

    /// <summary>True when the field is an address of a string in user memory.</summary>
    public bool IsUserPointer;

    /// <summary>The argument's number.</summary>
    public int Argument;

    /// <summary>The number compared with.</summary>
    public ulong Number;

    /// <summary>The string or pattern compared with; null for a number.</summary>
    public byte[]? Pattern;

    /// <summary>The predicate to go on at when this one holds.</summary>
    public int WhenTrue;

    /// <summary>The predicate to go on at when it does not.</summary>
    public int WhenFalse;

    /// <summary>
    /// The predicate to go on at when the value could not be read: neither the comparison nor its negation holds then, so this
    /// is <see cref="WhenTrue"/> where the expression negates it, else <see cref="WhenFalse"/>.
    /// </summary>
    public int WhenUnknown;
}
