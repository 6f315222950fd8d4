namespace KprobeTrace.Probes;

/// <content>Fetch arguments: names, types, and the steps that fetch them.</content>
internal sealed partial class ProbeDefinitionParser
{
    private const int MaxArgumentNameLength = 32;
    private const int MaxArgumentLength = 63;
    private const int MaxArrayCount = 64;
    private const int MaxRecordSize = 3072;

    /// <summary>The kernel keeps sixteen steps an argument, the last of which marks the end.</summary>
    private const int MaxSteps = 15;

    private static readonly string[] _reservedNames =
    [
        "common_type", "common_flags", "common_preempt_count", "common_pid", "common_tgid",
        "__probe_ip", "__probe_ret_ip", "__probe_func",
    ];

    private readonly List<FetchInstruction> _steps = [];
    private readonly List<ProbeArgument> _arguments = [];
    private readonly List<string> _warnings = [];
    private string? _unresolved;
    private ProbeErrno _unresolvedErrno;
    private int _recordSize;
    private int _extraSteps;
    private int _word;

    private bool ParseArguments()
    {
        bool allSeen = false;
        for (_word = 2; _word < _words.Length; _word++)
        {
            string text = _words[_word];
            if (text == StackWord)
            {
                _definition.WantsStack = true;
                continue;
            }

            if (_arguments.Count >= MaxArguments)
            {
                _warnings.Add($"{_definition.Event}: arguments after the {MaxArguments}th are ignored");
                break;
            }

            if (text == "$arg*")
            {
                if (allSeen)
                {
                    return Fail(ProbeErrorCode.AllArgumentsTwice, _word, 0);
                }

                allSeen = true;
                if (!ParseAllParameters())
                {
                    return false;
                }

                continue;
            }

            if (!ParseArgument(text))
            {
                return false;
            }
        }

        _definition.Arguments = _arguments;
        _definition.Warnings = _warnings;
        return true;
    }

    private bool ParseAllParameters()
    {
        if (!_atEntry || _definition.IsReturn)
        {
            return Fail(ProbeErrorCode.AllArgumentsNotAtEntry, _word, 0);
        }

        if (!TryFindParameters(0, out IReadOnlyList<ProbeVariable> parameters))
        {
            return false;
        }

        foreach (ProbeVariable parameter in parameters)
        {
            if (parameter.Name.Length > 0 && _arguments.Count < MaxArguments && !ParseArgument(parameter.Name))
            {
                return false;
            }
        }

        return true;
    }

    private bool ParseArgument(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        string name;
        string body = text;
        int offset = 0;
        if (equals >= 0)
        {
            if (equals > MaxArgumentNameLength)
            {
                return Fail(ProbeErrorCode.ArgumentNameTooLong, _word, 0);
            }

            if (equals == 0)
            {
                return Fail(ProbeErrorCode.NoArgumentName, _word, 0);
            }

            name = text[..equals];
            offset = equals + 1;
            body = text[offset..];
        }
        else
        {
            name = DefaultName(text);
        }

        if (!IsIdentifier(name))
        {
            return Fail(ProbeErrorCode.BadArgumentName, _word, 0);
        }

        if (IsTaken(name))
        {
            return Fail(ProbeErrorCode.UsedArgumentName, _word, 0);
        }

        if (!ParseBody(name, body, offset, out ProbeArgument? argument))
        {
            return false;
        }

        _recordSize += argument!.RecordSize;
        if (_recordSize > MaxRecordSize)
        {
            return Fail(ProbeErrorCode.EventTooBig, _word, 0, ProbeErrno.TooBig);
        }

        _arguments.Add(argument);
        return true;
    }

    /// <summary>
    /// A parameter fetched by its bare name keeps it, a member at the end of a path is called as the member unless an argument or
    /// a parameter is called so; anything else is named by its position.
    /// </summary>
    private string DefaultName(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string bare = colon < 0 ? text : text[..colon];
        string last = bare[(bare.AsSpan().LastIndexOfAny('.', '>') + 1)..];
        bool isPath = last.Length < bare.Length;
        bool named = last.Length <= MaxArgumentNameLength
            && (isPath ? IsMemberPath(bare) && !IsTaken(last) && !IsParameter(last) : IsIdentifier(last));
        return named ? last : $"arg{ProbeNumber.Decimal((ulong)_arguments.Count + 1)}";
    }

    private bool IsParameter(string name) =>
        _definition.Place.Symbol is string function && _target?.Types?.FindParameters(function) is IReadOnlyList<ProbeVariable> parameters
        && parameters.Any(p => p.Name == name);

    private bool IsTaken(string name) =>
        Array.IndexOf(_reservedNames, name) >= 0 || _arguments.Exists(a => a.Name == name);

    private bool ParseBody(string name, string body, int offset, out ProbeArgument? argument)
    {
        argument = null;
        if (body.Length > MaxArgumentLength)
        {
            return Fail(ProbeErrorCode.ArgumentTooLong, _word, offset);
        }

        if (body.Length == 0)
        {
            return Fail(ProbeErrorCode.NoArgumentBody, _word, offset);
        }

        int colon = body.IndexOf(':', StringComparison.Ordinal);
        string source = colon < 0 ? body : body[..colon];
        string? typeText = null;
        int typeOffset = offset;
        int count = 0;
        if (colon >= 0)
        {
            typeOffset = offset + colon + 1;
            if (!ParseArraySuffix(body, colon + 1, offset, out typeText, out count))
            {
                return false;
            }
        }

        bool isText = source is "$comm" or "$COMM" || source.StartsWith("\\\"", StringComparison.Ordinal);
        if (isText && (count != 0 || (typeText is not null && typeText != FetchType.KernelString.Name)))
        {
            return FailUnlogged(PositionOf(_word) + typeOffset, "this is a text: its type is string, and no array");
        }

        FetchType? type = isText ? FetchType.KernelString
            : typeText is null ? FetchType.Default
            : FetchType.Find(typeText);
        if (type is null)
        {
            return Fail(ProbeErrorCode.BadType, _word, typeOffset);
        }

        _steps.Clear();
        _extraSteps = 0;
        _sourceType = null;
        _sourceCount = 0;
        if (!ParseSource(source, offset))
        {
            return false;
        }

        if (typeText is null && _sourceType is not null)
        {
            type = _sourceType;
            count = _sourceCount;
        }

        if (!EmitStore(type, typeText, count, offset, typeOffset))
        {
            return false;
        }

        argument = new ProbeArgument(name, body, type, count, [.. _steps]);
        return true;
    }

    private bool ParseArraySuffix(string body, int start, int offset, out string typeText, out int count)
    {
        count = 0;
        int open = body.IndexOf('[', start);
        if (open < 0)
        {
            typeText = body[start..];
            return true;
        }

        typeText = body[start..open];
        int close = body.IndexOf(']', open + 1);
        if (close < 0)
        {
            return Fail(ProbeErrorCode.ArrayNotClosed, _word, offset + body.Length);
        }

        if (close + 1 != body.Length)
        {
            return Fail(ProbeErrorCode.BadArraySuffix, _word, offset + close + 1);
        }

        if (!ProbeNumber.TryParse(body.AsSpan(open + 1, close - open - 1), 0, out ulong number)
            || number is 0 or > uint.MaxValue)
        {
            return Fail(ProbeErrorCode.BadArraySize, _word, offset + open + 1);
        }

        if (number > MaxArrayCount)
        {
            return Fail(ProbeErrorCode.ArrayTooBig, _word, offset + open + 1);
        }

        count = (int)number;
        return true;
    }

    private bool EmitStore(FetchType type, string? typeText, int count, int offset, int typeOffset)
    {
        FetchInstruction last = _steps[^1];
        bool isDereference = last.Operation is FetchOperation.Dereference or FetchOperation.DereferenceUser;
        if (last.IsStore)
        {
            // $comm and constant texts are complete as they stand.
            return true;
        }

        if (type == FetchType.SymbolString)
        {
            return EmitSymbolText(last, count, offset, typeOffset);
        }

        if (type.IsString)
        {
            return EmitString(last, type == FetchType.UserString, count, offset, typeOffset);
        }

        if (!isDereference)
        {
            // Only dereferences lead to others: this is the one step there is.
            _steps.Add(new FetchInstruction(FetchOperation.StoreValue, (byte)type.Size, IsSigned: type.IsSigned));
        }
        else
        {
            FetchOperation store = last.Operation == FetchOperation.DereferenceUser
                ? FetchOperation.StoreUserMemory
                : FetchOperation.StoreMemory;
            _steps[^1] = new FetchInstruction(
                store, (byte)type.Size, Parameter: last.Parameter, IsSigned: type.IsSigned);
        }

        return EmitBitfield(type, typeText, typeOffset)
            && (count == 0 || isDereference || Fail(ProbeErrorCode.BadString, _word, typeOffset))
            && (count == 0 || HasRoomFor(1) || Fail(ProbeErrorCode.TooManySteps, _word, offset));
    }

    private bool EmitSymbolText(FetchInstruction last, int count, int offset, int typeOffset)
    {
        bool isAddress = last.Operation is FetchOperation.Dereference or FetchOperation.StackWord
            || (last.Operation == FetchOperation.Register && !_isStackPointer);
        if (!isAddress)
        {
            return Fail(ProbeErrorCode.BadSymbolString, _word, typeOffset);
        }

        if (!HasRoomFor(1))
        {
            return Fail(ProbeErrorCode.TooManySteps, _word, offset);
        }

        _steps.Add(new FetchInstruction(FetchOperation.StoreSymbolText));
        return count == 0 || Fail(ProbeErrorCode.BadString, _word, typeOffset);
    }

    private bool EmitString(FetchInstruction last, bool isUserType, int count, int offset, int typeOffset)
    {
        bool userPointer = last.Operation == FetchOperation.DereferenceUser;
        if (last.Operation is not (FetchOperation.Dereference or FetchOperation.DereferenceUser))
        {
            bool isAddress = (last.Operation == FetchOperation.Immediate || _isTextPointer) && count == 0;
            if (!isAddress)
            {
                return Fail(ProbeErrorCode.BadString, _word, typeOffset);
            }

            _steps.Add(new FetchInstruction(
                isUserType ? FetchOperation.StoreUserString : FetchOperation.StoreString, 1));
            return true;
        }

        if (count > 0)
        {
            if (!HasRoomFor(2))
            {
                return Fail(ProbeErrorCode.TooManySteps, _word, offset);
            }

            FetchOperation array = userPointer ? FetchOperation.StoreUserPointerStringArray
                : isUserType ? FetchOperation.StoreUserStringArray
                : FetchOperation.StoreStringArray;
            _steps[^1] = new FetchInstruction(array, 8, Parameter: last.Parameter);
            return true;
        }

        FetchOperation store = isUserType || userPointer ? FetchOperation.StoreUserString : FetchOperation.StoreString;
        if (_isTextPointer)
        {
            // A member that points to characters: the word is loaded first, the string is where it points.
            if (!HasRoomFor(1))
            {
                return Fail(ProbeErrorCode.TooManySteps, _word, offset);
            }

            _steps.Add(new FetchInstruction(store, 1));
            return true;
        }

        _steps[^1] = new FetchInstruction(store, 1, Parameter: last.Parameter);
        return true;
    }

    private bool EmitBitfield(FetchType type, string? typeText, int typeOffset)
    {
        (int width, int shift) = (_sourceBitWidth, _sourceBitShift);
        if (typeText is not null)
        {
            (width, shift) = (0, 0);
            if (typeText.StartsWith('b') && !TryParseBitfield(typeText.AsSpan(1), type.Size * 8, out width, out shift))
            {
                return Fail(ProbeErrorCode.BadBitfield, _word, typeOffset);
            }
        }

        if (width == 0)
        {
            return true;
        }

        if (!HasRoomFor(1))
        {
            return Fail(ProbeErrorCode.BadBitfield, _word, typeOffset);
        }

        int container = type.Size * 8;
        _steps[^1] = _steps[^1] with
        {
            BitLeft = (byte)(container - width - shift),
            BitRight = (byte)(container - width),
            HasBitfield = true,
        };
        return true;
    }

    /// <summary>Reads <c>W@O/</c> behind the <c>b</c>; the container was read with the type.</summary>
    private static bool TryParseBitfield(ReadOnlySpan<char> text, int container, out int width, out int shift)
    {
        width = 0;
        shift = 0;
        if (!ProbeNumber.TryParsePrefix(text, 0, out ulong bits, out int used)
            || bits == 0 || used >= text.Length || text[used] != '@')
        {
            return false;
        }

        text = text[(used + 1)..];
        if (!ProbeNumber.TryParsePrefix(text, 0, out ulong position, out used)
            || used >= text.Length || text[used] != '/'
            || bits > (ulong)container || position > (ulong)container || bits + position > (ulong)container)
        {
            return false;
        }

        width = (int)bits;
        shift = (int)position;
        return true;
    }

    private bool HasRoomFor(int steps) => _steps.Count + _extraSteps + steps <= MaxSteps;
}
