using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Simd;

/// <summary>The MMX forms of operations that move data between lanes: 64-bit operands in the lower halves.</summary>
// SAFETY: every function of this class touches only the 16 bytes behind each pointer, which callers take from locals.
internal static unsafe class MmxLanes
{
    /// <summary>Narrows both operands with saturation, the destination's lanes first.</summary>
    public static void Packsswb(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 4; i++)
        {
            ((sbyte*)&result)[i] = (sbyte)Math.Clamp(((short*)dst)[i], sbyte.MinValue, sbyte.MaxValue);
            ((sbyte*)&result)[i + 4] = (sbyte)Math.Clamp(((short*)src)[i], sbyte.MinValue, sbyte.MaxValue);
        }
        *dst = result;
    }

    /// <summary>Narrows both operands with saturation, the destination's lanes first.</summary>
    public static void Packssdw(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 2; i++)
        {
            ((short*)&result)[i] = (short)Math.Clamp(((int*)dst)[i], short.MinValue, short.MaxValue);
            ((short*)&result)[i + 2] = (short)Math.Clamp(((int*)src)[i], short.MinValue, short.MaxValue);
        }
        *dst = result;
    }

    /// <summary>Narrows both operands with saturation, the destination's lanes first.</summary>
    public static void Packuswb(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 4; i++)
        {
            ((byte*)&result)[i] = (byte)Math.Clamp(((short*)dst)[i], byte.MinValue, byte.MaxValue);
            ((byte*)&result)[i + 4] = (byte)Math.Clamp(((short*)src)[i], byte.MinValue, byte.MaxValue);
        }
        *dst = result;
    }

    /// <summary>Interleaves the lower halves.</summary>
    public static void Punpcklbw(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 4; i++)
        {
            ((byte*)&result)[2 * i] = ((byte*)dst)[i];
            ((byte*)&result)[(2 * i) + 1] = ((byte*)src)[i];
        }
        *dst = result;
    }

    /// <summary>Interleaves the lower halves.</summary>
    public static void Punpcklwd(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 2; i++)
        {
            ((ushort*)&result)[2 * i] = ((ushort*)dst)[i];
            ((ushort*)&result)[(2 * i) + 1] = ((ushort*)src)[i];
        }
        *dst = result;
    }

    /// <summary>Interleaves the lower halves.</summary>
    public static void Punpckldq(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 1; i++)
        {
            ((uint*)&result)[2 * i] = ((uint*)dst)[i];
            ((uint*)&result)[(2 * i) + 1] = ((uint*)src)[i];
        }
        *dst = result;
    }

    /// <summary>Interleaves the upper halves.</summary>
    public static void Punpckhbw(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 4; i++)
        {
            ((byte*)&result)[2 * i] = ((byte*)dst)[i + 4];
            ((byte*)&result)[(2 * i) + 1] = ((byte*)src)[i + 4];
        }
        *dst = result;
    }

    /// <summary>Interleaves the upper halves.</summary>
    public static void Punpckhwd(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 2; i++)
        {
            ((ushort*)&result)[2 * i] = ((ushort*)dst)[i + 2];
            ((ushort*)&result)[(2 * i) + 1] = ((ushort*)src)[i + 2];
        }
        *dst = result;
    }

    /// <summary>Interleaves the upper halves.</summary>
    public static void Punpckhdq(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 1; i++)
        {
            ((uint*)&result)[2 * i] = ((uint*)dst)[i + 1];
            ((uint*)&result)[(2 * i) + 1] = ((uint*)src)[i + 1];
        }
        *dst = result;
    }

    /// <summary>Picks bytes by index; an index with the top bit set gives zero.</summary>
    public static void Pshufb(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 8; i++)
        {
            byte index = ((byte*)src)[i];
            ((byte*)&result)[i] = index >= 0x80 ? (byte)0 : ((byte*)dst)[index & 7];
        }
        *dst = result;
    }

    /// <summary>Sums of neighbours, the destination's first.</summary>
    public static void Phaddw(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        short* a = (short*)dst;
        short* b = (short*)src;
        for (int i = 0; i < 2; i++)
        {
            ((short*)&result)[i] = (short)(a[2 * i] + a[(2 * i) + 1]);
            ((short*)&result)[i + 2] = (short)(b[2 * i] + b[(2 * i) + 1]);
        }
        *dst = result;
    }

    /// <summary>Sums of neighbours, the destination's first.</summary>
    public static void Phaddd(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        int* a = (int*)dst;
        int* b = (int*)src;
        for (int i = 0; i < 1; i++)
        {
            ((int*)&result)[i] = a[2 * i] + a[(2 * i) + 1];
            ((int*)&result)[i + 1] = b[2 * i] + b[(2 * i) + 1];
        }
        *dst = result;
    }

    /// <summary>Saturated sums of neighbours, the destination's first.</summary>
    public static void Phaddsw(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        short* a = (short*)dst;
        short* b = (short*)src;
        for (int i = 0; i < 2; i++)
        {
            ((short*)&result)[i] = (short)Math.Clamp(a[2 * i] + a[(2 * i) + 1], short.MinValue, short.MaxValue);
            ((short*)&result)[i + 2] = (short)Math.Clamp(b[2 * i] + b[(2 * i) + 1], short.MinValue, short.MaxValue);
        }
        *dst = result;
    }

    /// <summary>Differences of neighbours, the destination's first.</summary>
    public static void Phsubw(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        short* a = (short*)dst;
        short* b = (short*)src;
        for (int i = 0; i < 2; i++)
        {
            ((short*)&result)[i] = (short)(a[2 * i] - a[(2 * i) + 1]);
            ((short*)&result)[i + 2] = (short)(b[2 * i] - b[(2 * i) + 1]);
        }
        *dst = result;
    }

    /// <summary>Differences of neighbours, the destination's first.</summary>
    public static void Phsubd(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        int* a = (int*)dst;
        int* b = (int*)src;
        for (int i = 0; i < 1; i++)
        {
            ((int*)&result)[i] = a[2 * i] - a[(2 * i) + 1];
            ((int*)&result)[i + 1] = b[2 * i] - b[(2 * i) + 1];
        }
        *dst = result;
    }

    /// <summary>Saturated differences of neighbours, the destination's first.</summary>
    public static void Phsubsw(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        short* a = (short*)dst;
        short* b = (short*)src;
        for (int i = 0; i < 2; i++)
        {
            ((short*)&result)[i] = (short)Math.Clamp(a[2 * i] - a[(2 * i) + 1], short.MinValue, short.MaxValue);
            ((short*)&result)[i + 2] = (short)Math.Clamp(b[2 * i] - b[(2 * i) + 1], short.MinValue, short.MaxValue);
        }
        *dst = result;
    }

    /// <summary>Bytes of the destination above those of the source, shifted right by the immediate's count.</summary>
    public static void Palignr(Xmm* dst, Xmm* src, int immediate)
    {
        UInt128 value = new(dst->Low, src->Low);
        *dst = new Xmm(immediate < 16 ? (ulong)(value >> (immediate * 8)) : 0, 0);
    }

    /// <summary>Picks words of the source.</summary>
    public static void Pshufw(Xmm* dst, Xmm* src, int immediate)
    {
        ulong result = 0;
        for (int i = 3; i >= 0; i--)
        {
            result = (result << 16) | ((ushort*)src)[(immediate >> (2 * i)) & 3];
        }
        *dst = new Xmm(result, 0);
    }
}
