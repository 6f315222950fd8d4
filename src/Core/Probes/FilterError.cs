namespace KprobeTrace.Probes;

/// <summary>Why a filter was refused and at which column.</summary>
/// <param name="Code">The reason.</param>
/// <param name="Filter">The expression.</param>
/// <param name="Column">The column the kernel puts its caret under, from 0.</param>
internal sealed record FilterError(FilterErrorCode Code, string Filter, int Column)
{
    /// <summary>The kernel's text.</summary>
    public string Message => Code switch
    {
        FilterErrorCode.InvalidOperator => "Invalid operator",
        FilterErrorCode.TooManyOpen => "Too many '('",
        FilterErrorCode.TooFewOpen => "Too few '('",
        FilterErrorCode.MissingQuote => "Missing matching quote",
        FilterErrorCode.OperandTooLong => "Operand too long",
        FilterErrorCode.ExpectString => "Expecting string field",
        FilterErrorCode.ExpectDigit => "Expecting numeric field",
        FilterErrorCode.IllegalFieldOperation => "Illegal operation for field type",
        FilterErrorCode.FieldNotFound => "Field not found",
        FilterErrorCode.IllegalInteger => "Illegal integer value",
        FilterErrorCode.BadSubsystemFilter => "Couldn't find or set field in one of a subsystem's events",
        FilterErrorCode.TooManyTerms => "Too many terms in predicate expression",
        FilterErrorCode.Meaningless => "Meaningless filter expression",
        FilterErrorCode.InvalidValue => "Invalid value (did you forget quotes)?",
        _ => "No filter found",
    };

    /// <summary>What reading the filter file back shows: the expression, or what surrounds the column of a long one, a caret, the text.</summary>
    public override string ToString() => Excerpt.WithCaret(Filter, Column, "parse_error: " + Message);
}
