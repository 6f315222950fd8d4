using System.Runtime.InteropServices;
using System.Text;
using KprobeTrace.Cpu;

namespace KprobeTrace.Probes;

/// <content>What a fetch argument reads: registers, variables, memory, constants and dereferences.</content>
internal sealed partial class ProbeDefinitionParser
{
    private const ulong MaxStackNumber = FetchProgram.ThreadSize / 8;

    /// <summary>Registers of a call's arguments by the System V ABI for x86-64.</summary>
    private static readonly int[] _argumentRegisters =
    [
        NumberOf(nameof(PtRegs.Di)), NumberOf(nameof(PtRegs.Si)), NumberOf(nameof(PtRegs.Dx)),
        NumberOf(nameof(PtRegs.Cx)), NumberOf(nameof(PtRegs.R8)), NumberOf(nameof(PtRegs.R9)),
    ];

    private FetchType? _sourceType;
    private int _sourceCount;
    private int _sourceBitWidth;
    private int _sourceBitShift;
    private bool _isTextPointer;
    private bool _isStackPointer;

    private bool ParseSource(string text, int offset)
    {
        _isTextPointer = false;
        _isStackPointer = false;
        _sourceBitWidth = 0;
        if (text.Length == 0)
        {
            return Fail(ProbeErrorCode.BadFetchArgument, _word, offset);
        }

        switch (text[0])
        {
            case '$':
                return ParseVariable(text[1..], offset);
            case '%':
                int register = PtRegs.Names.IndexOf(text[1..]);
                return register >= 0
                    ? Emit(FetchOperation.Register, register, offset)
                    : Fail(ProbeErrorCode.BadRegisterName, _word, offset);
            case '@':
                return ParseMemory(text[1..], offset);
            case '+':
            case '-':
                return ParseDereference(text, offset);
            case '\\':
                return ParseImmediate(text[1..], offset);
            default:
                return IsMemberPath(text)
                    ? ParseMemberPath(text, offset)
                    : Fail(ProbeErrorCode.BadFetchArgument, _word, offset);
        }
    }

    private bool ParseVariable(string name, int offset)
    {
        switch (name)
        {
            case "retval":
                return _definition.IsReturn
                    ? Emit(FetchOperation.Register, 0, offset)
                    : Fail(ProbeErrorCode.RetvalOnProbe, _word, offset);
            case "stack":
                _isStackPointer = true;
                return Emit(FetchOperation.Register, NumberOf(nameof(PtRegs.Sp)), offset);
            case "comm" or "COMM":
                return Emit(FetchOperation.StoreComm, 0, offset);
            case "pid":
                _sourceType = FetchType.Find("s32");
                return Emit(FetchOperation.Pid, 0, offset);
            case "cpu":
                _sourceType = FetchType.Find("u32");
                return Emit(FetchOperation.Cpu, 0, offset);
            case "insn":
                _sourceType = FetchType.Find("u64");
                return Emit(FetchOperation.Instructions, 0, offset);
            default:
                break;
        }

        if (name.StartsWith("stack", StringComparison.Ordinal) && char.IsAsciiDigit(name["stack".Length])
            && ProbeNumber.TryParse(name.AsSpan("stack".Length), 10, out ulong word))
        {
            return word <= MaxStackNumber
                ? Emit(FetchOperation.StackWord, (long)word, offset)
                : Fail(ProbeErrorCode.BadStackNumber, _word, offset);
        }

        if (_atEntry && !_definition.IsReturn && name.StartsWith("arg", StringComparison.Ordinal)
            && ProbeNumber.TryParse(name.AsSpan("arg".Length), 10, out ulong number))
        {
            return number is > 0 and <= MaxStackNumber
                ? EmitParameter((int)number - 1, offset)
                : Fail(ProbeErrorCode.BadArgumentNumber, _word, offset);
        }

        return Fail(ProbeErrorCode.BadVariable, _word, offset);
    }

    /// <summary>Which of the frame's 64-bit fields a register is.</summary>
    private static int NumberOf(string field) => (int)Marshal.OffsetOf<PtRegs>(field) / sizeof(ulong);

    private bool EmitParameter(int index, int offset)
    {
        return index < _argumentRegisters.Length
            ? Emit(FetchOperation.Register, _argumentRegisters[index], offset)
            : Emit(FetchOperation.StackWord, index - _argumentRegisters.Length + 1, offset);
    }

    private bool ParseMemory(string text, int offset)
    {
        long address;
        DataSymbol? symbol = null;
        if (text.Length > 0 && char.IsAsciiDigit(text[0]))
        {
            if (!ProbeNumber.TryParse(text, 0, out ulong number))
            {
                return Fail(ProbeErrorCode.BadMemoryAddress, _word, offset);
            }

            address = (long)number;
        }
        else if (text.StartsWith('+'))
        {
            return Fail(ProbeErrorCode.FileOffsetOnKprobe, _word, offset);
        }
        else
        {
            address = ResolveData(text, out symbol);
            _extraSteps++;
        }

        return Emit(FetchOperation.Immediate, address, offset, symbol) && Emit(FetchOperation.Dereference, 0, offset);
    }

    /// <summary>Resolves <c>SYM[+|-OFFS]</c>; what fails is remembered, to be reported as registration would.</summary>
    private long ResolveData(string text, out DataSymbol? symbol)
    {
        if (!TrySplitOffset(text, out string name, out long offset))
        {
            symbol = new DataSymbol(text, 0);
            Remember(text, ProbeErrno.Invalid);
            return 0;
        }

        symbol = new DataSymbol(name, offset);
        ulong address = 0;
        if (_target is not null && !_target.TryResolve(name, out address))
        {
            Remember(name, ProbeErrno.NoEntry);
        }

        return (long)address + offset;

        void Remember(string name, ProbeErrno errno)
        {
            if (_unresolved is null)
            {
                _unresolved = name;
                _unresolvedErrno = errno;
            }
        }
    }

    private bool ParseDereference(string text, int offset)
    {
        FetchOperation operation = FetchOperation.Dereference;
        string body = text;
        if (text.Length > 1 && text[1] == 'u')
        {
            operation = FetchOperation.DereferenceUser;
            body = text[0] + text[2..];
        }

        // The sign of a negative offset is part of the number, a plus sign is not; columns count accordingly.
        bool negative = body[0] == '-';
        string rest = negative ? body : body[1..];
        int brace = rest.IndexOf('(', StringComparison.Ordinal);
        if (brace < 0)
        {
            return Fail(ProbeErrorCode.DereferenceNeedsBrace, _word, offset);
        }

        // A second plus sign is no number here: only one sign is taken off.
        if ((brace > 0 && rest[0] == '+') || !ProbeNumber.TryParseSigned(rest.AsSpan(0, brace), 0, out long distance))
        {
            return Fail(ProbeErrorCode.BadDereferenceOffset, _word, offset);
        }

        int inner = offset + brace + 1 + (negative ? 0 : 1);
        rest = rest[(brace + 1)..];
        int close = rest.LastIndexOf(')');
        if (close < 0)
        {
            return Fail(ProbeErrorCode.DereferenceOpenBrace, _word, inner + rest.Length);
        }

        // As the kernel does, what follows the last closing brace is not looked at.
        if (!ParseSource(rest[..close], inner))
        {
            return false;
        }

        if (_steps[^1].IsStore)
        {
            return Fail(ProbeErrorCode.CommDereferenced, _word, inner);
        }

        _sourceType = null;
        _isTextPointer = false;
        _sourceBitWidth = 0;
        return Emit(operation, distance, inner);
    }

    private bool ParseImmediate(string text, int offset)
    {
        if (text.StartsWith('"'))
        {
            string content = text[1..];
            if (!content.EndsWith('"'))
            {
                return Fail(ProbeErrorCode.ImmediateStringNotClosed, _word, offset + 2 + content.Length);
            }

            _steps.Add(new FetchInstruction(
                FetchOperation.StoreText, Text: Encoding.UTF8.GetBytes(content[..^1])));
            return true;
        }

        long value = 0;
        bool valid = false;
        if (text.Length > 0 && char.IsAsciiDigit(text[0]))
        {
            valid = ProbeNumber.TryParse(text, 0, out ulong number);
            value = (long)number;
        }
        else if (text.StartsWith('-'))
        {
            valid = ProbeNumber.TryParseSigned(text, 0, out value);
        }
        else if (text.StartsWith('+'))
        {
            valid = ProbeNumber.TryParseSigned(text.AsSpan(1), 0, out value);
        }

        return valid
            ? Emit(FetchOperation.Immediate, value, offset)
            : Fail(ProbeErrorCode.BadImmediate, _word, offset + 1);
    }

    private bool Emit(FetchOperation operation, long parameter, int offset, DataSymbol? symbol = null)
    {
        if (!HasRoomFor(1))
        {
            return Fail(ProbeErrorCode.TooManySteps, _word, offset);
        }

        _steps.Add(new FetchInstruction(operation, 8, Parameter: parameter, Symbol: symbol));
        return true;
    }
}
