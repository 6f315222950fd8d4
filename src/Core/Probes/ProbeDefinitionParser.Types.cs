namespace KprobeTrace.Probes;

/// <content>Parameters by name and member access, through the image's type information.</content>
internal sealed partial class ProbeDefinitionParser
{
    /// <summary>Whether a text has the shape <c>NAME{-&gt;NAME|.NAME}</c>.</summary>
    private static bool IsMemberPath(string text)
    {
        int position = 0;
        while (true)
        {
            int start = position;
            while (position < text.Length && (char.IsAsciiLetterOrDigit(text[position]) || text[position] == '_'))
            {
                position++;
            }

            if (!IsIdentifier(text.AsSpan(start, position - start)))
            {
                return false;
            }

            if (position == text.Length)
            {
                return true;
            }

            if (text[position] == '.')
            {
                position++;
            }
            else if (text.AsSpan(position).StartsWith("->"))
            {
                position += 2;
            }
            else
            {
                return false;
            }
        }
    }

    private bool TryFindParameters(int offset, out IReadOnlyList<ProbeVariable> parameters)
    {
        parameters = [];
        if (_target?.Types is null)
        {
            return Fail(ProbeErrorCode.TypesMissing, _word, offset);
        }

        if (!_atEntry || _definition.IsReturn || _definition.Place.Symbol is null)
        {
            return Fail(ProbeErrorCode.ParameterMissing, _word, offset);
        }

        IReadOnlyList<ProbeVariable>? found = _target.Types.FindParameters(_definition.Place.Symbol);
        if (found is null)
        {
            return Fail(ProbeErrorCode.FunctionTypeMissing, _word, offset);
        }

        parameters = found;
        return true;
    }

    private bool ParseMemberPath(string text, int offset)
    {
        if (!TryFindParameters(offset, out IReadOnlyList<ProbeVariable> parameters))
        {
            return false;
        }

        int end = PathNameEnd(text, 0);
        int index = -1;
        for (int i = 0; i < parameters.Count && index < 0; i++)
        {
            index = parameters[i].Name == text[..end] ? i : -1;
        }

        if (index < 0)
        {
            return Fail(ProbeErrorCode.ParameterMissing, _word, offset);
        }

        IProbeTypes types = _target!.Types!;
        ProbeTypeShape shape = types.Describe(parameters[index].Type);
        if (!EmitParameter(index, offset))
        {
            return false;
        }

        bool inMemory = false;
        long distance = 0;
        while (end < text.Length)
        {
            bool arrow = text[end] == '-';
            int start = end + (arrow ? 2 : 1);
            end = PathNameEnd(text, start);
            if (arrow && shape.Class == ProbeTypeClass.Address)
            {
                if (inMemory && !Emit(FetchOperation.Dereference, distance, offset))
                {
                    return false;
                }

                inMemory = true;
                distance = 0;
                shape = types.Describe(shape.Element);
            }
            else if (arrow || !inMemory)
            {
                return Fail(ProbeErrorCode.NotAStructure, _word, offset + start - (arrow ? 2 : 1));
            }

            if (shape.Class != ProbeTypeClass.Structure)
            {
                return Fail(ProbeErrorCode.NotAStructure, _word, offset + start - (arrow ? 2 : 1));
            }

            if (!types.TryFindMember(shape.Element, text[start..end], out ProbeMember member))
            {
                return Fail(ProbeErrorCode.MemberMissing, _word, offset + start);
            }

            shape = types.Describe(member.Type);
            distance += PlaceMember(member, shape.Size);
        }

        return (!inMemory || Emit(FetchOperation.Dereference, distance, offset)) && GiveType(shape, inMemory, offset);
    }

    /// <summary>Notes a member's bit field and returns the byte distance of its container.</summary>
    private long PlaceMember(ProbeMember member, int containerSize)
    {
        _sourceBitWidth = 0;
        if (member.BitSize == 0 || containerSize is not (1 or 2 or 4 or 8))
        {
            return member.BitOffset / 8;
        }

        int container = containerSize * 8;
        int first = member.BitOffset / container * container;
        if (member.BitOffset + member.BitSize > first + container)
        {
            first = member.BitOffset / 8 * 8;
        }

        _sourceBitWidth = member.BitSize;
        _sourceBitShift = member.BitOffset - first;
        return first / 8;
    }

    private bool GiveType(ProbeTypeShape shape, bool inMemory, int offset)
    {
        switch (shape.Class)
        {
            case ProbeTypeClass.Number:
                FetchValueKind kind = shape.IsSigned && _sourceBitWidth == 0
                    ? FetchValueKind.SignedNumber
                    : FetchValueKind.UnsignedNumber;
                _sourceType = FetchType.Integer(shape.Size, kind);
                break;
            case ProbeTypeClass.Address:
                _sourceType = FetchType.Default;
                ProbeTypeShape target = _target!.Types!.Describe(shape.Element);
                _isTextPointer = target is { Class: ProbeTypeClass.Number, Size: 1 };
                break;
            case ProbeTypeClass.Array when inMemory && shape.Count > 0:
                ProbeTypeShape element = _target!.Types!.Describe(shape.Element);
                GiveArrayType(element, shape.Count);
                break;
            default:
                break;
        }

        return _sourceType is not null || Fail(ProbeErrorCode.BadType, _word, offset);
    }

    private void GiveArrayType(ProbeTypeShape element, int count)
    {
        if (element.IsCharacter)
        {
            _sourceType = FetchType.KernelString;
            return;
        }

        _sourceType = element.Class == ProbeTypeClass.Address
            ? FetchType.Default
            : FetchType.Integer(
                element.Size, element.IsSigned ? FetchValueKind.SignedNumber : FetchValueKind.UnsignedNumber);
        _sourceCount = Math.Min(count, MaxArrayCount);
    }

    private static int PathNameEnd(string text, int start)
    {
        int end = start;
        while (end < text.Length && text[end] is not ('.' or '-'))
        {
            end++;
        }

        return end;
    }
}
