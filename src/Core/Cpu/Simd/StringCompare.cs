using System.Numerics;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Simd;

/// <summary>The text comparison of PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM (Intel SDM vol. 2 §4.1).</summary>
// SAFETY: reads the 16 bytes behind each pointer.
internal static unsafe class StringCompare
{
    /// <summary>Compares two strings.</summary>
    /// <param name="a">The first operand: the set, the ranges, or the needle.</param>
    /// <param name="b">The second operand: the text.</param>
    /// <param name="immediate">Element type, aggregation and polarity.</param>
    /// <param name="lengthA">Valid elements of <paramref name="a"/>.</param>
    /// <param name="lengthB">Valid elements of <paramref name="b"/>.</param>
    /// <returns>IntRes2: one bit for each element of <paramref name="b"/>.</returns>
    public static uint Compare(Xmm* a, Xmm* b, int immediate, int lengthA, int lengthB)
    {
        int count = Count(immediate);
        uint result = 0;
        for (int j = 0; j < count; j++)
        {
            bool bit = ((immediate >> 2) & 3) switch
            {
                0 => EqualsAny(a, b, immediate, lengthA, lengthB, j),
                1 => InRanges(a, b, immediate, lengthA, lengthB, j),
                2 => EqualEach(a, b, immediate, lengthA, lengthB, j),
                _ => EqualOrdered(a, b, immediate, lengthA, lengthB, j),
            };
            result |= bit ? 1U << j : 0;
        }
        uint all = (1U << count) - 1;
        return ((immediate >> 4) & 3) switch
        {
            1 => result ^ all,
            3 => result ^ ((1U << lengthB) - 1),
            _ => result,
        };
    }

    /// <summary>ECX of PCMPESTRI and PCMPISTRI: the first or last set bit, or the count of elements without any.</summary>
    public static int Index(uint result, int immediate) =>
        result == 0 ? Count(immediate)
        : (immediate & 0x40) != 0 ? BitOperations.Log2(result)
        : BitOperations.TrailingZeroCount(result);

    /// <summary>XMM0 of PCMPESTRM and PCMPISTRM: the bits, or each bit widened to an element.</summary>
    public static Xmm Mask(uint result, int immediate)
    {
        if ((immediate & 0x40) == 0)
        {
            return new Xmm(result, 0);
        }
        Xmm mask = default;
        int count = Count(immediate);
        int size = 16 / count;
        for (int i = 0; i < 16; i++)
        {
            ((byte*)&mask)[i] = (result >> (i / size) & 1) != 0 ? (byte)0xFF : (byte)0;
        }
        return mask;
    }

    /// <summary>Elements of an operand: 16 bytes or 8 words.</summary>
    public static int Count(int immediate) => (immediate & 1) != 0 ? 8 : 16;

    /// <summary>The number of elements before the first zero.</summary>
    public static int ImplicitLength(Xmm* x, int immediate)
    {
        int count = Count(immediate);
        for (int i = 0; i < count; i++)
        {
            if (Element(x, immediate, i) == 0)
            {
                return i;
            }
        }
        return count;
    }

    /// <summary>The number of elements that a length register means: its magnitude, at most all.</summary>
    public static int ExplicitLength(long length, int immediate)
    {
        int count = Count(immediate);
        return length <= -count || length >= count ? count : (int)Math.Abs(length);
    }

    private static int Element(Xmm* x, int immediate, int index) => (immediate & 3) switch
    {
        0 => ((byte*)x)[index],
        1 => ((ushort*)x)[index],
        2 => ((sbyte*)x)[index],
        _ => ((short*)x)[index],
    };

    private static bool EqualsAny(Xmm* a, Xmm* b, int immediate, int lengthA, int lengthB, int j)
    {
        if (j >= lengthB)
        {
            return false;
        }
        int text = Element(b, immediate, j);
        for (int i = 0; i < lengthA; i++)
        {
            if (Element(a, immediate, i) == text)
            {
                return true;
            }
        }
        return false;
    }

    private static bool InRanges(Xmm* a, Xmm* b, int immediate, int lengthA, int lengthB, int j)
    {
        if (j >= lengthB)
        {
            return false;
        }
        int text = Element(b, immediate, j);
        for (int i = 0; i + 1 < lengthA; i += 2)
        {
            if (text >= Element(a, immediate, i) && text <= Element(a, immediate, i + 1))
            {
                return true;
            }
        }
        return false;
    }

    private static bool EqualEach(Xmm* a, Xmm* b, int immediate, int lengthA, int lengthB, int j)
    {
        bool validA = j < lengthA;
        bool validB = j < lengthB;
        return validA && validB ? Element(a, immediate, j) == Element(b, immediate, j) : validA == validB;
    }

    private static bool EqualOrdered(Xmm* a, Xmm* b, int immediate, int lengthA, int lengthB, int j)
    {
        int count = Count(immediate);
        for (int i = 0; i < lengthA && i + j < count; i++)
        {
            if (i + j >= lengthB || Element(a, immediate, i) != Element(b, immediate, i + j))
            {
                return false;
            }
        }
        return true;
    }
}
