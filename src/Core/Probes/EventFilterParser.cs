using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace KprobeTrace.Probes;

/// <summary>Reads filter expressions and compiles them to comparisons that jump.</summary>
/// <remarks>
/// Order of checks, messages and columns follow the kernel: quotes and parentheses of the whole text first, then the
/// terms from left to right. Inside a term the kernel's column is one to the right of what it blames; so is ours.
/// </remarks>
internal sealed partial class EventFilterParser
{
    private const int MaxLength = 4095;
    private const int MaxTextLength = 255;
    private const int MaxNumberLength = 23;

    private static readonly (string Text, FilterOperator Operator)[] _operators =
    [
        ("~", FilterOperator.Glob), ("!=", FilterOperator.NotEqual), ("==", FilterOperator.Equal),
        ("<=", FilterOperator.LessOrEqual), ("<", FilterOperator.Less), (">=", FilterOperator.GreaterOrEqual),
        (">", FilterOperator.Greater), ("&", FilterOperator.AnyBit),
    ];

    private readonly string _text;
    private readonly ProbeDefinition _definition;
    private readonly List<FilterPredicate> _predicates = [];
    private FilterError? _error;

    private EventFilterParser(string text, ProbeDefinition definition)
    {
        _text = text;
        _definition = definition;
    }

    public static bool TryParse(
        string text,
        ProbeDefinition definition,
        [NotNullWhen(true)] out EventFilter? filter,
        [NotNullWhen(false)] out FilterError? error)
    {
        string trimmed = text.Trim();
        EventFilterParser parser = new(trimmed, definition);
        bool accepted = trimmed == "0" || parser.Parse();
        filter = accepted ? new EventFilter(trimmed, [.. parser._predicates]) : null;
        error = accepted ? null : parser._error!;
        return accepted;
    }

    private bool Parse()
    {
        if (_text.Length > MaxLength)
        {
            return Fail(FilterErrorCode.OperandTooLong, MaxLength);
        }

        return CheckBrackets() && ParseTerms();
    }

    private bool Fail(FilterErrorCode code, int column)
    {
        _error = new FilterError(code, _text, Math.Min(column, _text.Length));
        return false;
    }

    private char At(int index) => index < _text.Length ? _text[index] : '\0';

    private bool CheckBrackets()
    {
        char quote = '\0';
        int lastQuote = 0;
        List<int> open = [];
        for (int i = 0; i < _text.Length; i++)
        {
            char c = _text[i];
            if (quote != '\0')
            {
                quote = c == quote ? '\0' : quote;
            }
            else if (c is '\'' or '"')
            {
                quote = c;
                lastQuote = i;
            }
            else if (c == '(')
            {
                open.Add(i);
            }
            else if (c == ')')
            {
                if (open.Count == 0)
                {
                    return Fail(FilterErrorCode.TooFewOpen, i);
                }

                open.RemoveAt(open.Count - 1);
            }
        }

        if (quote != '\0')
        {
            return Fail(FilterErrorCode.MissingQuote, lastQuote);
        }

        return open.Count == 0 || Fail(FilterErrorCode.TooManyOpen, open[^1]);
    }

    /// <summary>Reads one comparison that begins at an index; returns the index behind it, -1 after an error.</summary>
    private int ParseTerm(int start)
    {
        int i = start;
        while (char.IsAsciiLetterOrDigit(At(i)) || At(i) == '_')
        {
            i++;
        }

        // The kernel counts columns inside a term from the character behind its first one.
        const int shift = 1;
        if (i == start)
        {
            Fail(FilterErrorCode.Meaningless, start);
            return -1;
        }

        if (!TryFindField(_text[start..i], out FilterPredicate predicate, out FetchType type))
        {
            Fail(FilterErrorCode.FieldNotFound, i + shift);
            return -1;
        }

        bool isText = type.IsString;
        if (_text.AsSpan(i).StartsWith(".ustring"))
        {
            i += ".ustring".Length;
            if (isText || type.Size != 8)
            {
                Fail(FilterErrorCode.IllegalFieldOperation, i + shift);
                return -1;
            }

            predicate.IsUserPointer = true;
            isText = true;
        }

        i = SkipBlanks(i);
        if (!TryFindOperator(ref i, out predicate.Operator))
        {
            Fail(FilterErrorCode.InvalidOperator, i + shift);
            return -1;
        }

        i = SkipBlanks(i);
        int end = At(i) switch
        {
            '\'' or '"' => ParseText(i, isText, ref predicate),
            '-' or (>= '0' and <= '9') => ParseNumber(i, isText, type, ref predicate),
            _ => -2,
        };
        if (end == -2)
        {
            Fail(FilterErrorCode.InvalidValue, i + shift);
            return -1;
        }

        if (end >= 0)
        {
            _predicates.Add(predicate);
        }

        return end;
    }

    private int ParseText(int start, bool isText, ref FilterPredicate predicate)
    {
        if (predicate.Operator is not (FilterOperator.Glob or FilterOperator.Equal or FilterOperator.NotEqual))
        {
            Fail(FilterErrorCode.IllegalFieldOperation, start + 1);
            return -1;
        }

        if (!isText)
        {
            Fail(FilterErrorCode.ExpectDigit, start + 1);
            return -1;
        }

        int end = _text.IndexOf(_text[start], start + 1);
        if (end - start - 1 > MaxTextLength)
        {
            Fail(FilterErrorCode.OperandTooLong, end + 1);
            return -1;
        }

        predicate.Pattern = Encoding.UTF8.GetBytes(_text[(start + 1)..end]);
        return end + 1;
    }

    private int ParseNumber(int start, bool isText, FetchType type, ref FilterPredicate predicate)
    {
        if (isText)
        {
            Fail(FilterErrorCode.ExpectString, start + 1);
            return -1;
        }

        if (predicate.Operator == FilterOperator.Glob)
        {
            Fail(FilterErrorCode.IllegalFieldOperation, start + 1);
            return -1;
        }

        int end = At(start) == '-' ? start + 1 : start;
        while (char.IsAsciiLetterOrDigit(At(end)))
        {
            end++;
        }

        if (end - start > MaxNumberLength)
        {
            Fail(FilterErrorCode.OperandTooLong, end + 1);
            return -1;
        }

        ReadOnlySpan<char> digits = _text.AsSpan(start, end - start);
        bool valid;
        if (predicate.IsSigned)
        {
            valid = ProbeNumber.TryParseSigned(digits, 0, out long number);
            predicate.Number = Narrow((ulong)number, type);
        }
        else
        {
            valid = ProbeNumber.TryParse(digits, 0, out ulong number);
            predicate.Number = Narrow(number, type);
        }

        if (!valid)
        {
            Fail(FilterErrorCode.IllegalInteger, start + 1);
            return -1;
        }

        return end;
    }

    /// <summary>Cuts a constant to the field's width, as the comparison does.</summary>
    private static ulong Narrow(ulong number, FetchType type)
    {
        int unused = 64 - (type.Size * 8);
        return type.IsSigned ? (ulong)((long)(number << unused) >> unused) : number << unused >> unused;
    }

    private static bool TryFindOperator(string text, int index, out int length, out FilterOperator found)
    {
        foreach ((string symbol, FilterOperator operation) in _operators)
        {
            if (text.AsSpan(index).StartsWith(symbol))
            {
                length = symbol.Length;
                found = operation;
                return true;
            }
        }

        length = 0;
        found = default;
        return false;
    }

    private bool TryFindOperator(ref int index, out FilterOperator found)
    {
        bool exists = TryFindOperator(_text, Math.Min(index, _text.Length), out int length, out found);
        index += length;
        return exists;
    }

    private int SkipBlanks(int index)
    {
        while (char.IsWhiteSpace(At(index)))
        {
            index++;
        }

        return index;
    }

    private bool TryFindField(string name, out FilterPredicate predicate, out FetchType type)
    {
        predicate = default;
        for (int i = 0; i < _definition.Arguments.Count; i++)
        {
            ProbeArgument argument = _definition.Arguments[i];
            if (argument.Name == name && argument.Count == 0)
            {
                predicate.Argument = i;
                predicate.IsSigned = argument.Type.IsSigned;
                type = argument.Type;
                return true;
            }
        }

        (FilterField field, string typeName) = name switch
        {
            "__probe_ip" when !_definition.IsReturn => (FilterField.ProbeAddress, "x64"),
            "__probe_func" when _definition.IsReturn => (FilterField.ProbeAddress, "x64"),
            "__probe_ret_ip" when _definition.IsReturn => (FilterField.ReturnAddress, "x64"),
            "CPU" or "cpu" or "common_cpu" => (FilterField.Cpu, "s32"),
            "COMM" or "comm" => (FilterField.Comm, "string"),
            "common_pid" => (FilterField.Pid, "s32"),
            "common_type" => (FilterField.Zero, "u16"),
            "common_flags" or "common_preempt_count" => (FilterField.Zero, "u8"),
            _ => (FilterField.Argument, string.Empty),
        };
        type = FetchType.Find(typeName) ?? FetchType.Default;
        predicate.Field = field;
        predicate.IsSigned = type.IsSigned;
        return typeName.Length > 0;
    }
}
