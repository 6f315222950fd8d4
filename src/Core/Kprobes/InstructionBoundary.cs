namespace KprobeTrace.Kprobes;

/// <summary>The linear walk from a function's start that finds where its instructions begin.</summary>
/// <remarks>
/// A guest's own int3 or jump over the image's instructions does not mislead it: the walk goes on behind the instructions
/// that they replace, of which the image tells.
/// </remarks>
internal sealed class InstructionBoundary
{
    /// <summary>The longest x86 instruction.</summary>
    public const int MaxLength = 15;

    private const byte Int3 = 0xCC;
    private const byte Jump = 0xE9;
    private const ulong JumpLength = 5;

    private readonly IInstructionLength _decoder;
    private readonly IProbedGuest _guest;
    private readonly IKernelText _text;
    private readonly byte[] _window = new byte[256 + MaxLength];

    public InstructionBoundary(IInstructionLength decoder, IProbedGuest guest, IKernelText text)
    {
        _decoder = decoder;
        _guest = guest;
        _text = text;
    }

    /// <summary>Whether an instruction begins at an address when decoding from a start below it.</summary>
    public bool IsBoundary(ulong start, ulong address)
    {
        ulong at = start;
        ulong windowStart = start;
        int available = 0;
        while (at < address)
        {
            if (at + MaxLength > windowStart + (ulong)available)
            {
                windowStart = at;
                available = Read(at);
            }

            int offset = (int)(at - windowStart);
            int length = _decoder.InstructionLength(at, _window.AsSpan(offset, available - offset));
            if (length == 0)
            {
                return false;
            }

            at = _window[offset] is Int3 or Jump ? BehindReplaced(start, at, _window[offset]) : at + (ulong)length;
        }

        return at == address;
    }

    /// <summary>The bytes of the instruction at an address; empty when there is none.</summary>
    public byte[] Copy(ulong address)
    {
        int available = Read(address);
        int length = _decoder.InstructionLength(address, _window.AsSpan(0, available));
        return length == 0 ? [] : _window[..length];
    }

    /// <summary>The immediates of the <c>ret imm16</c> instructions of a function, which move its caller's stack pointer.</summary>
    public ushort[] ReturnImmediates(ulong start, ulong size)
    {
        List<ushort> found = [];
        ulong end = start + Math.Min(size, 1 << 16);
        ulong at = start;
        while (at < end)
        {
            byte[] instruction = Copy(at);
            if (instruction.Length == 0)
            {
                break;
            }

            if (instruction.Length == 3 && instruction[0] == 0xC2)
            {
                found.Add((ushort)(instruction[1] | (instruction[2] << 8)));
            }

            at += (ulong)instruction.Length;
        }

        return [.. found];
    }

    /// <summary>Whether the instruction that ends at an address is a near call, or was one before the guest put an int3 on it.</summary>
    public bool FollowsCall(ulong address)
    {
        const int longest = 8;
        Span<byte> before = stackalloc byte[longest];
        return (_guest.TryReadKernel(address - longest, before) && EndsWithCall(address, before))
            || (_text.TryReadOriginal(address - longest, before) && EndsWithCall(address, before));
    }

    private bool EndsWithCall(ulong address, ReadOnlySpan<byte> before)
    {
        int longest = before.Length;
        if (before[longest - 5] == 0xE8)
        {
            return true;
        }

        // Prefixes need no look: without them the rest is a call of the same form.
        for (int length = 2; length <= longest; length++)
        {
            ReadOnlySpan<byte> candidate = before[(longest - length)..];
            if (candidate[0] == 0xFF && ((candidate[1] >> 3) & 7) == 2
                && _decoder.InstructionLength(address - (ulong)length, candidate) == length)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Where the instructions end that an int3 or a jump at an address takes the place of; the end of the int3 or jump when
    /// the image has it as well, or has no instruction there.
    /// </summary>
    private ulong BehindReplaced(ulong start, ulong at, byte opcode)
    {
        ulong end = at + (opcode == Int3 ? 1 : JumpLength);
        Span<byte> original = stackalloc byte[1];
        if (!_text.TryReadOriginal(at, original) || original[0] == opcode || OriginalBoundary(start, at) != at)
        {
            return end;
        }

        return OriginalBoundary(at, end) is ulong behind and not 0 ? behind : end;
    }

    /// <summary>Where the first instruction of the image begins at an address or above it; 0 when the walk ends before.</summary>
    private ulong OriginalBoundary(ulong start, ulong address)
    {
        Span<byte> bytes = stackalloc byte[MaxLength];
        ulong at = start;
        while (at < address)
        {
            int length = _text.TryReadOriginal(at, bytes) ? _decoder.InstructionLength(at, bytes) : 0;
            if (length == 0)
            {
                return 0;
            }

            at += (ulong)length;
        }

        return at;
    }

    /// <summary>Reads as much of the window as is mapped; a page that is not ends it.</summary>
    private int Read(ulong address)
    {
        if (_guest.TryReadKernel(address, _window))
        {
            return _window.Length;
        }

        int toPageEnd = (int)Math.Min(4096 - (address & 4095), (ulong)_window.Length);
        return _guest.TryReadKernel(address, _window.AsSpan(0, toPageEnd)) ? toPageEnd : 0;
    }
}
