namespace KprobeTrace.Probes;

/// <summary>The reasons for which a filter expression is refused.</summary>
internal enum FilterErrorCode
{
    /// <summary>No operator the language knows.</summary>
    InvalidOperator,

    /// <summary>A parenthesis is never closed.</summary>
    TooManyOpen,

    /// <summary>A parenthesis was never opened.</summary>
    TooFewOpen,

    /// <summary>A quote is never closed.</summary>
    MissingQuote,

    /// <summary>A value of more than 255 characters, a number of more than 23.</summary>
    OperandTooLong,

    /// <summary>A number compared with a string field.</summary>
    ExpectString,

    /// <summary>A string compared with a numeric field.</summary>
    ExpectDigit,

    /// <summary>The operator does not apply to the field.</summary>
    IllegalFieldOperation,

    /// <summary>No field of that name.</summary>
    FieldNotFound,

    /// <summary>A number that is malformed or does not fit.</summary>
    IllegalInteger,

    /// <summary>No event of a group has the field.</summary>
    BadSubsystemFilter,

    /// <summary>Two terms without a connector.</summary>
    TooManyTerms,

    /// <summary>A connector with nothing behind or before it.</summary>
    Meaningless,

    /// <summary>A value that is neither a number nor quoted.</summary>
    InvalidValue,

    /// <summary>An empty expression.</summary>
    NoFilter,
}
