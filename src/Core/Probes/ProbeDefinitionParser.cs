using System.Diagnostics.CodeAnalysis;

namespace KprobeTrace.Probes;

/// <summary>Reads definitions of the probe-event language: kind, name, place; arguments are in the other part.</summary>
/// <remarks>
/// The order of checks, the messages and the columns are those of <c>kprobe_events</c> in Linux' 6.1 stable series: the place is
/// judged first, also whether its symbol is unknown or ambiguous, then the event's name, then the arguments. What only
/// registration finds out (<see cref="ProbeDefinition.RegistrationError"/>) comes last.
/// </remarks>
internal sealed partial class ProbeDefinitionParser
{
    /// <summary>The word that asks for the call stack of every hit.</summary>
    internal const string StackWord = "stack";

    private const int MaxNameLength = 63;
    private const int MaxLineLength = 4094;
    private const int MaxArguments = 128;
    private const int MaxActiveLimit = 4096;

    private readonly string[] _words;
    private readonly IProbeTarget? _target;
    private readonly ProbeDefinition _definition;
    private bool _atEntry;
    private ProbeError? _error;

    private ProbeDefinitionParser(string[] words, IProbeTarget? target)
    {
        _words = words;
        _target = target;
        _definition = new ProbeDefinition(words);
    }

    /// <summary>Parses one <c>p</c> or <c>r</c> definition.</summary>
    /// <param name="line">The line; text from <c>#</c> on is a comment.</param>
    /// <param name="target">The image to check against; without one symbols and types are taken on trust.</param>
    /// <param name="definition">The definition when it is accepted.</param>
    /// <param name="error">The reason when it is not.</param>
    public static bool TryParse(
        string line,
        IProbeTarget? target,
        [NotNullWhen(true)] out ProbeDefinition? definition,
        [NotNullWhen(false)] out ProbeError? error)
    {
        if (TryParseWords(line, target, out definition, out error) && definition.RegistrationError is ProbeError late)
        {
            definition = null;
            error = late;
        }

        return error is null;
    }

    /// <summary>Parses a definition and leaves what registration would refuse in <see cref="ProbeDefinition.RegistrationError"/>.</summary>
    internal static bool TryParseWords(
        string line,
        IProbeTarget? target,
        [NotNullWhen(true)] out ProbeDefinition? definition,
        [NotNullWhen(false)] out ProbeError? error)
    {
        ArgumentNullException.ThrowIfNull(line);
        ProbeDefinitionParser parser = new(SplitWords(line), target);
        bool accepted = line.Length <= MaxLineLength
            ? parser.Parse()
            : parser.FailUnlogged(0, "the line is longer than 4094 characters");
        definition = accepted ? parser._definition : null;
        error = accepted ? null : parser._error!;
        return accepted;
    }

    /// <summary>Splits a line at blanks; a comment ends it.</summary>
    internal static string[] SplitWords(string line)
    {
        int comment = line.IndexOf('#', StringComparison.Ordinal);
        string text = comment < 0 ? line : line[..comment];
        return text.Split([' ', '\t', '\n', '\v', '\f', '\r'], StringSplitOptions.RemoveEmptyEntries);
    }

    internal static bool IsIdentifier(ReadOnlySpan<char> text, bool dashAllowed = false)
    {
        if (text.Length == 0 || !(char.IsAsciiLetter(text[0]) || text[0] == '_'))
        {
            return false;
        }

        foreach (char c in text[1..])
        {
            if (!char.IsAsciiLetterOrDigit(c) && c != '_' && !(dashAllowed && c == '-'))
            {
                return false;
            }
        }

        return true;
    }

    private bool Parse()
    {
        if (_words.Length == 0 || _words[0][0] is not ('p' or 'r'))
        {
            return FailUnlogged(0, "a definition begins with p or r");
        }

        if (_words.Length < 2)
        {
            return FailUnlogged(_words[0].Length, "the place of the probe is missing");
        }

        _definition.IsReturn = _words[0][0] == 'r';
        int colon = _words[0].IndexOf(':', StringComparison.Ordinal);
        bool accepted = ParseMaxActive(colon)
            && ParsePlace()
            && CheckPlace()
            && ParseEventName(colon)
            && ParseArguments();
        if (accepted && !CheckRegistration())
        {
            (_definition.RegistrationError, _error) = (_error, null);
        }

        return accepted;
    }

    private bool ParseMaxActive(int colon)
    {
        string head = _words[0];
        if (head.Length < 2 || !char.IsAsciiDigit(head[1]))
        {
            return true;
        }

        if (!_definition.IsReturn)
        {
            return Fail(ProbeErrorCode.MaxActiveOnKprobe, 0, 1);
        }

        string digits = colon < 0 ? head[1..] : head[1..colon];
        if (digits.Length > MaxNameLength
            || !ProbeNumber.TryParse(digits, 0, out ulong count)
            || count is 0 or > uint.MaxValue)
        {
            return Fail(ProbeErrorCode.BadMaxActive, 0, 1);
        }

        if (count > MaxActiveLimit)
        {
            return Fail(ProbeErrorCode.MaxActiveTooBig, 0, 1);
        }

        _definition.MaxActive = (int)count;
        return true;
    }

    private bool ParsePlace()
    {
        string word = _words[1];
        if (ProbeNumber.TryParse(word, 0, out ulong address))
        {
            _definition.Place = new ProbePlace(null, null, 0, address);
            return true;
        }

        if (word.Contains('/', StringComparison.Ordinal) && word.Contains(':', StringComparison.Ordinal))
        {
            return FailUnlogged(PositionOf(1), "this is a probe in a file, not in the kernel");
        }

        int suffix = word.IndexOf('%', StringComparison.Ordinal);
        if (suffix >= 0)
        {
            if (!word.AsSpan(suffix).SequenceEqual("%return"))
            {
                return Fail(ProbeErrorCode.BadAddressSuffix, 1, suffix);
            }

            _definition.IsReturn = true;
            word = word[..suffix];
        }

        if (!TrySplitOffset(word, out string symbol, out long offset) || offset is < 0 or > uint.MaxValue)
        {
            return Fail(ProbeErrorCode.BadProbeAddress, 1, 0);
        }

        int colon = symbol.IndexOf(':', StringComparison.Ordinal);
        _definition.Place = colon < 0
            ? new ProbePlace(null, symbol, (uint)offset, 0)
            : new ProbePlace(symbol[..colon], symbol[(colon + 1)..], (uint)offset, 0);
        bool? entry = IsFunctionEntry();
        _atEntry = entry ?? offset == 0;
        return entry != false || !_definition.IsReturn || Fail(ProbeErrorCode.BadReturnProbe, 1, 0);
    }

    /// <summary>Splits <c>SYMBOL[+OFFSET|-OFFSET]</c>; false when the offset is no number.</summary>
    private static bool TrySplitOffset(string text, out string symbol, out long offset)
    {
        offset = 0;
        symbol = text;
        int sign = text.AsSpan().IndexOfAny('+', '-');
        if (sign < 0)
        {
            return true;
        }

        symbol = text[..sign];
        return ProbeNumber.TryParseSigned(text.AsSpan(sign), 0, out offset);
    }

    /// <summary>Whether the place is the first byte of a function; null when its symbol is unknown so far.</summary>
    private bool? IsFunctionEntry()
    {
        ProbePlace place = _definition.Place;
        if (_target is null)
        {
            return place.Offset == 0;
        }

        if (!_target.TryResolve(place.QualifiedSymbol!, out ulong address))
        {
            return null;
        }

        return _target.TryGetSymbolOffset(address + place.Offset, out ulong offset)
            ? offset == 0
            : place.Offset == 0;
    }

    private bool ParseEventName(int colon)
    {
        if (colon < 0)
        {
            _definition.Event = MakeEventName();
            return true;
        }

        string name = _words[0][(colon + 1)..];
        int column = colon + 1;
        int separator = name.IndexOf('/', StringComparison.Ordinal);
        if (separator < 0)
        {
            separator = name.IndexOf('.', StringComparison.Ordinal);
        }

        if (separator == 0)
        {
            return Fail(ProbeErrorCode.NoGroupName, 0, column);
        }

        if (separator > 0)
        {
            if (separator > MaxNameLength)
            {
                return Fail(ProbeErrorCode.GroupTooLong, 0, column);
            }

            _definition.Group = name[..separator];
            if (!IsIdentifier(_definition.Group, dashAllowed: true))
            {
                return Fail(ProbeErrorCode.BadGroupName, 0, column);
            }

            column += separator + 1;
            name = name[(separator + 1)..];
            if (name.Length == 0)
            {
                _definition.Event = MakeEventName();
                return true;
            }
        }

        if (name.Length == 0)
        {
            return Fail(ProbeErrorCode.NoEventName, 0, column);
        }

        if (name.Length > MaxNameLength)
        {
            return Fail(ProbeErrorCode.EventTooLong, 0, column);
        }

        _definition.Event = name;
        return IsIdentifier(name) || Fail(ProbeErrorCode.BadEventName, 0, column);
    }

    private string MakeEventName()
    {
        ProbePlace place = _definition.Place;
        char kind = _definition.IsReturn ? 'r' : 'p';
        string name = place.Symbol is null
            ? $"{kind}_0x{place.Address:x}"
            : $"{kind}_{place.QualifiedSymbol}_{ProbeNumber.Decimal(place.Offset)}";
        char[] characters = name.Length > MaxNameLength ? name.ToCharArray(0, MaxNameLength) : name.ToCharArray();
        for (int i = 0; i < characters.Length; i++)
        {
            if (!char.IsAsciiLetterOrDigit(characters[i]))
            {
                characters[i] = '_';
            }
        }

        return new string(characters);
    }

    /// <summary>Whether the place's symbol exists once; a module's is looked up at registration.</summary>
    private bool CheckPlace()
    {
        if (_target is null || _definition.Place is not { Symbol: string symbol, Module: null })
        {
            return true;
        }

        return _target.CountSymbols(symbol) switch
        {
            1 => true,
            0 => FailUnknown(symbol, isText: true),
            int count => Fail(
                ProbeErrorCode.SymbolNotUnique, 1, 0, ProbeErrno.AddressNotAvailable,
                $"{count} symbols are called {symbol}; write the address of one"),
        };
    }

    /// <summary>The checks the kernel leaves to registration: they blame the place, whatever word held the symbol.</summary>
    private bool CheckRegistration()
    {
        ProbePlace place = _definition.Place;
        if (_target is null || (place.Module is not null && !_target.IsModuleLoaded(place.Module)))
        {
            return true;
        }

        if (_unresolved is not null)
        {
            return _unresolvedErrno == ProbeErrno.NoEntry
                ? FailUnknown(_unresolved, isText: false)
                : Fail(ProbeErrorCode.RegistrationFailed, 1, 0, ProbeErrno.Invalid, $"bad offset in {_unresolved}");
        }

        return place.Symbol is null
            || _target.TryResolve(place.QualifiedSymbol!, out _)
            || FailUnknown(place.QualifiedSymbol!, isText: true);
    }

    private bool FailUnknown(string symbol, bool isText) => Fail(
        ProbeErrorCode.BadProbeAddress, 1, 0, ProbeErrno.NoEntry, $"no symbol {symbol}", () => _target!.AskForSymbol(symbol, isText));

    private int PositionOf(int word)
    {
        int position = 0;
        for (int i = 0; i < word && i < _words.Length; i++)
        {
            position += _words[i].Length + 1;
        }

        return position;
    }

    private bool Fail(
        ProbeErrorCode code,
        int word,
        int offset,
        ProbeErrno errno = ProbeErrno.Invalid,
        string? detail = null,
        Func<string>? hint = null)
    {
        _error = new ProbeError(code, errno, _definition.Command, PositionOf(word) + offset, detail, hint);
        return false;
    }

    private bool FailUnlogged(int column, string detail)
    {
        _error = new ProbeError(ProbeErrorCode.Unlogged, ProbeErrno.Invalid, _definition.Command, column, detail);
        return false;
    }
}
