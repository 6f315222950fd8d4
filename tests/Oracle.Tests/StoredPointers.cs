using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>
/// The x87 instruction and operand pointers and opcode inside images that FXSAVE, FNSAVE and FNSTENV store. Processors differ
/// in when they keep them: AMD's FXSAVE stores them only while an exception is pending, newer Intel processors no opcode and
/// no selectors. They are not compared, nor are bytes of an FXSAVE image that the manuals leave to the processor.
/// </summary>
internal static class StoredPointers
{
    /// <summary>The bits to compare of the 8-byte word of memory at an address after a case.</summary>
    public static ulong ComparedBits(TestCase one, ulong word)
    {
        (int Start, int End)[] ranges = Ranges(one.Instruction.Code);
        if (ranges.Length == 0 || MemoryOperand.AddressOf(one) is not ulong start)
        {
            return ulong.MaxValue;
        }

        ulong mask = ulong.MaxValue;
        for (int i = 0; i < 8; i++)
        {
            long at = (long)(word + (ulong)i - start);
            if (ranges.Any(range => at >= range.Start && at < range.End))
            {
                mask &= ~(0xfful << (i * 8));
            }
        }

        return mask;
    }

    // FXSAVE: opcode and pointers, MXCSR_MASK, and the reserved bytes of each register and of the end.
    private static (int Start, int End)[] Ranges(Code code) => code switch
    {
        Code.Fnstenv_m14byte or Code.Fnsave_m94byte => [(6, 14)],
        Code.Fnstenv_m28byte or Code.Fnsave_m108byte => [(2, 4), (6, 8), (10, 28)],
        Code.Fxsave_m512byte or Code.Fxsave64_m512byte => [(5, 24), (28, 32), .. Padding(), (416, 512)],
        _ => [],
    };

    private static IEnumerable<(int Start, int End)> Padding() =>
        Enumerable.Range(0, 8).Select(i => (FxImages.RegistersOffset + (i * 16) + 10, FxImages.RegistersOffset + (i * 16) + 16));
}
