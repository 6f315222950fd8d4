namespace KprobeTrace.Kprobes;

/// <summary>The linear walk from a function's start that finds where its instructions begin.</summary>
internal sealed class InstructionBoundary
{
    /// <summary>The longest x86 instruction.</summary>
    public const int MaxLength = 15;

    private readonly IInstructionLength _decoder;
    private readonly IProbedGuest _guest;
    private readonly byte[] _window = new byte[256 + MaxLength];

    public InstructionBoundary(IInstructionLength decoder, IProbedGuest guest)
    {
        _decoder = decoder;
        _guest = guest;
    }

    /// <summary>Whether an instruction begins at an address when decoding from a start below it.</summary>
    public bool IsBoundary(ulong start, ulong address)
    {
        ulong at = start;
        ulong windowStart = start;
        int available = 0;
        while (at < address)
        {
            if (at < windowStart || at + MaxLength > windowStart + (ulong)available)
            {
                windowStart = at;
                available = Read(at);
            }

            int offset = (int)(at - windowStart);
            int length = offset < available
                ? _decoder.InstructionLength(at, _window.AsSpan(offset, available - offset))
                : 0;
            if (length == 0)
            {
                return false;
            }

            at += (ulong)length;
        }

        return at == address;
    }

    /// <summary>The bytes of the instruction at an address; empty when there is none.</summary>
    public byte[] Copy(ulong address)
    {
        int available = Read(address);
        int length = available == 0 ? 0 : _decoder.InstructionLength(address, _window.AsSpan(0, available));
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

    /// <summary>Whether the instruction that ends at an address is a near call.</summary>
    public bool FollowsCall(ulong address)
    {
        const int longest = 8;
        Span<byte> before = stackalloc byte[longest];
        if (!_guest.TryReadKernel(address - longest, before))
        {
            return false;
        }

        if (before[longest - 5] == 0xE8)
        {
            return true;
        }

        for (int length = 2; length <= longest; length++)
        {
            ReadOnlySpan<byte> candidate = before[(longest - length)..];
            int opcode = 0;
            while (opcode < candidate.Length && candidate[opcode] is 0x2E or 0x3E or (>= 0x40 and <= 0x4F))
            {
                opcode++;
            }

            if (opcode + 1 < candidate.Length && candidate[opcode] == 0xFF && ((candidate[opcode + 1] >> 3) & 7) == 2
                && _decoder.InstructionLength(address - (ulong)length, candidate) == length)
            {
                return true;
            }
        }

        return false;
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
