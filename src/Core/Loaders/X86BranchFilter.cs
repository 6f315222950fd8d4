using System.Buffers.Binary;

namespace KprobeTrace.Loaders;

/// <summary>Undoes the x86 branch filter (BCJ) that xz applies to machine code before compressing it.</summary>
/// <remarks>
/// The encoder replaced the relative target after each E8 (CALL) and E9 (JMP) byte by an absolute one where the
/// target's top byte looked like a sign extension (00 or FF). Whether such a byte is an instruction at all is a guess
/// made from the opcode bytes among the three bytes before it, and decoding must repeat the guess exactly: the xz file
/// format specification, §5.3.2, names the filter, and its reference implementation defines it.
/// </remarks>
internal static class X86BranchFilter
{
    private const int InstructionLength = 5;

    /// <summary>Decodes a whole filtered block in place.</summary>
    /// <param name="block">The block's bytes.</param>
    /// <param name="start">Address the encoder gave the block's first byte.</param>
    public static void Decode(Span<byte> block, uint start)
    {
        // Bit k: the byte k + 1 before the current one was a branch opcode that was left alone.
        uint passed = 0;
        int i = 0;
        int last = block.Length - InstructionLength;
        while (i <= last)
        {
            if (passed == 0)
            {
                int skip = block[i..(last + 1)].IndexOfAny((byte)0xE8, (byte)0xE9);
                if (skip < 0)
                {
                    return;
                }

                i += skip;
            }

            if ((block[i] & 0xFE) != 0xE8)
            {
                passed = (passed << 1) & 7;
                i++;
                continue;
            }

            if (!IsSignByte(block[i + 4]) || !MayBeInstruction(block, i, passed))
            {
                passed = ((passed << 1) & 7) | 1;
                i++;
                continue;
            }

            Span<byte> operand = block.Slice(i + 1, 4);
            uint next = start + (uint)i + InstructionLength;
            uint absolute = BinaryPrimitives.ReadUInt32LittleEndian(operand);
            BinaryPrimitives.WriteUInt32LittleEndian(operand, ToRelative(absolute, next, passed));
            passed = 0;
            i += InstructionLength;
        }
    }

    private static bool IsSignByte(byte value) => value is 0x00 or 0xFF;

    private static bool MayBeInstruction(ReadOnlySpan<byte> block, int at, uint passed)
    {
        if (passed == 0)
        {
            return true;
        }

        int distance = 32 - int.LeadingZeroCount((int)passed);
        return uint.PopCount(passed) == 1 && !IsSignByte(block[at + 4 - distance]);
    }

    private static uint ToRelative(uint absolute, uint next, uint passed)
    {
        uint relative = absolute - next;
        if (passed != 0)
        {
            int shift = 8 * (32 - int.LeadingZeroCount((int)passed));
            while (IsSignByte((byte)(relative >> (24 - shift))))
            {
                relative = (relative ^ ((1u << (32 - shift)) - 1)) - next;
            }
        }

        // The top byte is the sign of the 25-bit displacement.
        return (relative & 0x1FF_FFFF) | ((relative & 0x100_0000) != 0 ? 0xFF00_0000 : 0);
    }
}
