using System.Diagnostics.CodeAnalysis;

namespace KprobeTrace.Probes;

/// <summary>A filter expression compiled for one event; evaluation allocates nothing.</summary>
/// <remarks>
/// Fields are the event's arguments, <c>__probe_ip</c> (<c>__probe_func</c> and <c>__probe_ret_ip</c> for return
/// probes), <c>CPU cpu common_cpu COMM comm</c> and the <c>common_</c> fields, of which only <c>common_pid</c> is not 0.
/// Of a value that could not be read no comparison holds, nor its negation, as of SQL's null.
/// </remarks>
internal sealed class EventFilter
{
    private readonly FilterPredicate[] _predicates;

    internal EventFilter(string text, FilterPredicate[] predicates)
    {
        Text = text;
        _predicates = predicates;
    }

    /// <summary>The expression.</summary>
    public string Text { get; }

    /// <summary>True for the expression <c>0</c>, which clears a filter: every hit matches.</summary>
    public bool MatchesEverything => _predicates.Length == 0;

    /// <summary>Compiles an expression for the event a definition belongs to.</summary>
    public static bool TryParse(
        string text,
        ProbeDefinition definition,
        [NotNullWhen(true)] out EventFilter? filter,
        [NotNullWhen(false)] out FilterError? error)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(definition);
        return EventFilterParser.TryParse(text, definition, out filter, out error);
    }

    /// <summary>Compiles an expression.</summary>
    /// <exception cref="ProbeSyntaxException">The expression is refused; the message carries the caret.</exception>
    public static EventFilter Parse(string text, ProbeDefinition definition) =>
        TryParse(text, definition, out EventFilter? filter, out FilterError? error)
            ? filter
            : throw new ProbeSyntaxException(error);

    /// <summary>Decides a hit.</summary>
    /// <param name="values">The fetched arguments of the hit.</param>
    /// <param name="probeAddress">The probe's address, of the function for a return probe.</param>
    /// <param name="returnAddress">Where a return probe's function returned to, else 0.</param>
    /// <param name="environment">The current task, CPU and user memory.</param>
    public bool Matches(
        FetchBuffer values, ulong probeAddress, ulong returnAddress, IFetchEnvironment environment)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentNullException.ThrowIfNull(environment);
        int next = _predicates.Length == 0 ? FilterPredicate.Match : 0;
        while (next >= 0)
        {
            ref readonly FilterPredicate predicate = ref _predicates[next];
            if (predicate.Field == FilterField.Argument && values.IsFaulted(predicate.Argument))
            {
                next = predicate.WhenUnknown;
                continue;
            }

            bool? holds = predicate.Pattern is null
                ? CompareNumber(in predicate, Number(in predicate, values, probeAddress, returnAddress, environment))
                : CompareText(in predicate, values, probeAddress, returnAddress, environment);
            next = holds switch
            {
                true => predicate.WhenTrue,
                false => predicate.WhenFalse,
                null => predicate.WhenUnknown,
            };
        }

        return next == FilterPredicate.Match;
    }

    private static ulong Number(
        in FilterPredicate predicate,
        FetchBuffer values,
        ulong probeAddress,
        ulong returnAddress,
        IFetchEnvironment environment) => predicate.Field switch
        {
            FilterField.Argument => values.Value(predicate.Argument),
            FilterField.ProbeAddress => probeAddress,
            FilterField.ReturnAddress => returnAddress,
            FilterField.Pid => (ulong)environment.CurrentPid,
            FilterField.Cpu => (ulong)environment.CpuIndex,
            _ => 0,
        };

    private static bool CompareNumber(in FilterPredicate predicate, ulong value)
    {
        ulong other = predicate.Number;
        int order = predicate.IsSigned ? ((long)value).CompareTo((long)other) : value.CompareTo(other);
        return predicate.Operator switch
        {
            FilterOperator.Equal => value == other,
            FilterOperator.NotEqual => value != other,
            FilterOperator.Less => order < 0,
            FilterOperator.LessOrEqual => order <= 0,
            FilterOperator.Greater => order > 0,
            FilterOperator.GreaterOrEqual => order >= 0,
            _ => (value & other) != 0,
        };
    }

    /// <summary>Compares a text; null when it is one of the user's that cannot be read.</summary>
    private static bool? CompareText(
        in FilterPredicate predicate,
        FetchBuffer values,
        ulong probeAddress,
        ulong returnAddress,
        IFetchEnvironment environment)
    {
        Span<byte> local = stackalloc byte[512];
        scoped ReadOnlySpan<byte> text;
        if (predicate.IsUserPointer)
        {
            ulong address = Number(in predicate, values, probeAddress, returnAddress, environment);
            int length = ReadUserText(address, local, environment);
            if (length < 0)
            {
                return null;
            }

            text = local[..length];
        }
        else if (predicate.Field == FilterField.Comm)
        {
            text = local[..environment.ReadComm(local)];
        }
        else
        {
            text = values.Text(predicate.Argument);
        }

        bool same = predicate.Operator == FilterOperator.Glob
            ? GlobPattern.IsMatch(predicate.Pattern, text)
            : text.SequenceEqual(predicate.Pattern);
        return same != (predicate.Operator == FilterOperator.NotEqual);
    }

    /// <summary>Reads a text of the user's up to its zero byte; -1 when it cannot be read.</summary>
    private static int ReadUserText(ulong address, Span<byte> room, IFetchEnvironment environment)
    {
        int length = 0;
        while (length < room.Length)
        {
            ulong at = address + (ulong)length;
            Span<byte> piece = room.Slice(length, Math.Min(64 - (int)(at & 63), room.Length - length));
            if (at >= FetchProgram.UserEnd || !environment.TryReadUser(at, piece))
            {
                return -1;
            }

            int zero = piece.IndexOf((byte)0);
            if (zero >= 0)
            {
                return length + zero;
            }

            length += piece.Length;
        }

        return room.Length;
    }
}
