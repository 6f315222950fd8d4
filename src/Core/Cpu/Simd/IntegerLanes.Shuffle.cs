using System.Runtime.Intrinsics;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Simd;

/// <content>Operations that move data between lanes.</content>
internal static unsafe partial class IntegerLanes
{
    /// <summary>Narrows both operands with saturation, the destination's lanes first.</summary>
    public static void Packsswb(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.NarrowWithSaturation(Get<short>(dst), Get<short>(src)));

    /// <summary>Narrows both operands with saturation, the destination's lanes first.</summary>
    public static void Packssdw(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.NarrowWithSaturation(Get<int>(dst), Get<int>(src)));

    /// <summary>Narrows both operands with saturation, the destination's lanes first.</summary>
    public static void Packuswb(Xmm* dst, Xmm* src) => Set(
        dst,
        Vector128.NarrowWithSaturation(
            Vector128.Max(Get<short>(dst), Vector128<short>.Zero).AsUInt16(),
            Vector128.Max(Get<short>(src), Vector128<short>.Zero).AsUInt16()));

    /// <summary>Narrows both operands with saturation, the destination's lanes first.</summary>
    public static void Packusdw(Xmm* dst, Xmm* src) => Set(
        dst,
        Vector128.NarrowWithSaturation(
            Vector128.Max(Get<int>(dst), Vector128<int>.Zero).AsUInt32(),
            Vector128.Max(Get<int>(src), Vector128<int>.Zero).AsUInt32()));

    /// <summary>Interleaves the lower halves.</summary>
    public static void Punpcklbw(Xmm* dst, Xmm* src) => Set(
        dst, Vector128.WidenLower(Get<byte>(dst)) | (Vector128.WidenLower(Get<byte>(src)) << 8));

    /// <summary>Interleaves the lower halves.</summary>
    public static void Punpcklwd(Xmm* dst, Xmm* src) => Set(
        dst, Vector128.WidenLower(Get<ushort>(dst)) | (Vector128.WidenLower(Get<ushort>(src)) << 16));

    /// <summary>Interleaves the lower halves.</summary>
    public static void Punpckldq(Xmm* dst, Xmm* src) => Set(
        dst, Vector128.WidenLower(Get<uint>(dst)) | (Vector128.WidenLower(Get<uint>(src)) << 32));

    /// <summary>Interleaves the lower halves.</summary>
    public static void Punpcklqdq(Xmm* dst, Xmm* src) => dst->High = src->Low;

    /// <summary>Interleaves the upper halves.</summary>
    public static void Punpckhbw(Xmm* dst, Xmm* src) => Set(
        dst, Vector128.WidenUpper(Get<byte>(dst)) | (Vector128.WidenUpper(Get<byte>(src)) << 8));

    /// <summary>Interleaves the upper halves.</summary>
    public static void Punpckhwd(Xmm* dst, Xmm* src) => Set(
        dst, Vector128.WidenUpper(Get<ushort>(dst)) | (Vector128.WidenUpper(Get<ushort>(src)) << 16));

    /// <summary>Interleaves the upper halves.</summary>
    public static void Punpckhdq(Xmm* dst, Xmm* src) => Set(
        dst, Vector128.WidenUpper(Get<uint>(dst)) | (Vector128.WidenUpper(Get<uint>(src)) << 32));

    /// <summary>Interleaves the upper halves.</summary>
    public static void Punpckhqdq(Xmm* dst, Xmm* src) => *dst = new Xmm(dst->High, src->High);

    /// <summary>Picks bytes by index; an index with the top bit set gives zero.</summary>
    public static void Pshufb(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Shuffle(Get<byte>(dst), Get<byte>(src) & Vector128.Create((byte)0x8F)));

    /// <summary>Sums of neighbours, the destination's first.</summary>
    public static void Phaddw(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        short* a = (short*)dst;
        short* b = (short*)src;
        for (int i = 0; i < 4; i++)
        {
            ((short*)&result)[i] = (short)(a[2 * i] + a[(2 * i) + 1]);
            ((short*)&result)[i + 4] = (short)(b[2 * i] + b[(2 * i) + 1]);
        }
        *dst = result;
    }

    /// <summary>Sums of neighbours, the destination's first.</summary>
    public static void Phaddd(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        int* a = (int*)dst;
        int* b = (int*)src;
        for (int i = 0; i < 2; i++)
        {
            ((int*)&result)[i] = a[2 * i] + a[(2 * i) + 1];
            ((int*)&result)[i + 2] = b[2 * i] + b[(2 * i) + 1];
        }
        *dst = result;
    }

    /// <summary>Saturated sums of neighbours, the destination's first.</summary>
    public static void Phaddsw(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        short* a = (short*)dst;
        short* b = (short*)src;
        for (int i = 0; i < 4; i++)
        {
            ((short*)&result)[i] = (short)Math.Clamp(a[2 * i] + a[(2 * i) + 1], short.MinValue, short.MaxValue);
            ((short*)&result)[i + 4] = (short)Math.Clamp(b[2 * i] + b[(2 * i) + 1], short.MinValue, short.MaxValue);
        }
        *dst = result;
    }

    /// <summary>Differences of neighbours, the destination's first.</summary>
    public static void Phsubw(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        short* a = (short*)dst;
        short* b = (short*)src;
        for (int i = 0; i < 4; i++)
        {
            ((short*)&result)[i] = (short)(a[2 * i] - a[(2 * i) + 1]);
            ((short*)&result)[i + 4] = (short)(b[2 * i] - b[(2 * i) + 1]);
        }
        *dst = result;
    }

    /// <summary>Differences of neighbours, the destination's first.</summary>
    public static void Phsubd(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        int* a = (int*)dst;
        int* b = (int*)src;
        for (int i = 0; i < 2; i++)
        {
            ((int*)&result)[i] = a[2 * i] - a[(2 * i) + 1];
            ((int*)&result)[i + 2] = b[2 * i] - b[(2 * i) + 1];
        }
        *dst = result;
    }

    /// <summary>Saturated differences of neighbours, the destination's first.</summary>
    public static void Phsubsw(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        short* a = (short*)dst;
        short* b = (short*)src;
        for (int i = 0; i < 4; i++)
        {
            ((short*)&result)[i] = (short)Math.Clamp(a[2 * i] - a[(2 * i) + 1], short.MinValue, short.MaxValue);
            ((short*)&result)[i + 4] = (short)Math.Clamp(b[2 * i] - b[(2 * i) + 1], short.MinValue, short.MaxValue);
        }
        *dst = result;
    }

    /// <summary>Bytes of the destination above those of the source, shifted right by the immediate's count.</summary>
    public static void Palignr(Xmm* dst, Xmm* src, int immediate)
    {
        UInt128 lower = new(src->High, src->Low);
        UInt128 upper = new(dst->High, dst->Low);
        UInt128 result = immediate switch
        {
            0 => lower,
            < 16 => (lower >> (immediate * 8)) | (upper << (128 - (immediate * 8))),
            < 32 => upper >> ((immediate * 8) - 128),
            _ => 0,
        };
        *dst = new Xmm((ulong)result, (ulong)(result >> 64));
    }

    /// <summary>Picks 32-bit lanes of the source.</summary>
    public static void Pshufd(Xmm* dst, Xmm* src, int immediate)
    {
        uint* b = (uint*)src;
        ulong low = b[immediate & 3] | ((ulong)b[(immediate >> 2) & 3] << 32);
        *dst = new Xmm(low, b[(immediate >> 4) & 3] | ((ulong)b[(immediate >> 6) & 3] << 32));
    }

    /// <summary>Picks words of the source's lower half.</summary>
    public static void Pshuflw(Xmm* dst, Xmm* src, int immediate)
    {
        Xmm result = *src;
        MmxLanes.Pshufw(&result, src, immediate);
        *dst = new Xmm(result.Low, src->High);
    }

    /// <summary>Picks words of the source's upper half.</summary>
    public static void Pshufhw(Xmm* dst, Xmm* src, int immediate)
    {
        Xmm upper = new(src->High, 0);
        Xmm result = default;
        MmxLanes.Pshufw(&result, &upper, immediate);
        *dst = new Xmm(src->Low, result.Low);
    }

    /// <summary>Two lanes of the destination, two of the source.</summary>
    public static void Shufps(Xmm* dst, Xmm* src, int immediate)
    {
        uint* a = (uint*)dst;
        uint* b = (uint*)src;
        ulong low = a[immediate & 3] | ((ulong)a[(immediate >> 2) & 3] << 32);
        *dst = new Xmm(low, b[(immediate >> 4) & 3] | ((ulong)b[(immediate >> 6) & 3] << 32));
    }

    /// <summary>One lane of the destination, one of the source.</summary>
    public static void Shufpd(Xmm* dst, Xmm* src, int immediate) => *dst = new Xmm(
        (immediate & 1) != 0 ? dst->High : dst->Low, (immediate & 2) != 0 ? src->High : src->Low);

    /// <summary>Takes the 16-bit lanes that the immediate marks from the source.</summary>
    public static void Pblendw(Xmm* dst, Xmm* src, int immediate)
    {
        for (int i = 0; i < 8; i++)
        {
            if ((immediate >> i & 1) != 0)
            {
                ((ushort*)dst)[i] = ((ushort*)src)[i];
            }
        }
    }

    /// <summary>Takes the 32-bit lanes that the immediate marks from the source.</summary>
    public static void Blendps(Xmm* dst, Xmm* src, int immediate)
    {
        for (int i = 0; i < 4; i++)
        {
            if ((immediate >> i & 1) != 0)
            {
                ((uint*)dst)[i] = ((uint*)src)[i];
            }
        }
    }

    /// <summary>Takes the 64-bit lanes that the immediate marks from the source.</summary>
    public static void Blendpd(Xmm* dst, Xmm* src, int immediate) => *dst = new Xmm(
        (immediate & 1) != 0 ? src->Low : dst->Low, (immediate & 2) != 0 ? src->High : dst->High);

    /// <summary>Takes the bytes whose mask has the top bit set from the source.</summary>
    public static void Pblendvb(Xmm* dst, Xmm* src, Xmm* mask)
    {
        for (int i = 0; i < 16; i++)
        {
            if (((sbyte*)mask)[i] < 0)
            {
                ((byte*)dst)[i] = ((byte*)src)[i];
            }
        }
    }

    /// <summary>Takes the 32-bit lanes whose mask has the top bit set from the source.</summary>
    public static void Blendvps(Xmm* dst, Xmm* src, Xmm* mask)
    {
        for (int i = 0; i < 4; i++)
        {
            if (((int*)mask)[i] < 0)
            {
                ((uint*)dst)[i] = ((uint*)src)[i];
            }
        }
    }

    /// <summary>Takes the 64-bit lanes whose mask has the top bit set from the source.</summary>
    public static void Blendvpd(Xmm* dst, Xmm* src, Xmm* mask) => *dst = new Xmm(
        (long)mask->Low < 0 ? src->Low : dst->Low, (long)mask->High < 0 ? src->High : dst->High);

    /// <summary>Inserts a lane of a register and clears the lanes of the immediate's lower bits.</summary>
    public static void InsertpsRegister(Xmm* dst, Xmm* src, int immediate) =>
        Insertps(dst, ((uint*)src)[(immediate >> 6) & 3], immediate);

    /// <summary>Inserts a 32-bit value from memory and clears the lanes of the immediate's lower bits.</summary>
    public static void InsertpsMemory(Xmm* dst, Xmm* src, int immediate) => Insertps(dst, *(uint*)src, immediate);

    private static void Insertps(Xmm* dst, uint value, int immediate)
    {
        ((uint*)dst)[(immediate >> 4) & 3] = value;
        for (int i = 0; i < 4; i++)
        {
            if ((immediate >> i & 1) != 0)
            {
                ((uint*)dst)[i] = 0;
            }
        }
    }

    /// <summary>Sign-extends the lowest lanes of the source.</summary>
    public static void Pmovsxbw(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 8; i++)
        {
            ((short*)&result)[i] = ((sbyte*)src)[i];
        }
        *dst = result;
    }

    /// <summary>Zero-extends the lowest lanes of the source.</summary>
    public static void Pmovzxbw(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 8; i++)
        {
            ((short*)&result)[i] = ((byte*)src)[i];
        }
        *dst = result;
    }

    /// <summary>Sign-extends the lowest lanes of the source.</summary>
    public static void Pmovsxbd(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 4; i++)
        {
            ((int*)&result)[i] = ((sbyte*)src)[i];
        }
        *dst = result;
    }

    /// <summary>Zero-extends the lowest lanes of the source.</summary>
    public static void Pmovzxbd(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 4; i++)
        {
            ((int*)&result)[i] = ((byte*)src)[i];
        }
        *dst = result;
    }

    /// <summary>Sign-extends the lowest lanes of the source.</summary>
    public static void Pmovsxbq(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 2; i++)
        {
            ((long*)&result)[i] = ((sbyte*)src)[i];
        }
        *dst = result;
    }

    /// <summary>Zero-extends the lowest lanes of the source.</summary>
    public static void Pmovzxbq(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 2; i++)
        {
            ((long*)&result)[i] = ((byte*)src)[i];
        }
        *dst = result;
    }

    /// <summary>Sign-extends the lowest lanes of the source.</summary>
    public static void Pmovsxwd(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 4; i++)
        {
            ((int*)&result)[i] = ((short*)src)[i];
        }
        *dst = result;
    }

    /// <summary>Zero-extends the lowest lanes of the source.</summary>
    public static void Pmovzxwd(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 4; i++)
        {
            ((int*)&result)[i] = ((ushort*)src)[i];
        }
        *dst = result;
    }

    /// <summary>Sign-extends the lowest lanes of the source.</summary>
    public static void Pmovsxwq(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 2; i++)
        {
            ((long*)&result)[i] = ((short*)src)[i];
        }
        *dst = result;
    }

    /// <summary>Zero-extends the lowest lanes of the source.</summary>
    public static void Pmovzxwq(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 2; i++)
        {
            ((long*)&result)[i] = ((ushort*)src)[i];
        }
        *dst = result;
    }

    /// <summary>Sign-extends the lowest lanes of the source.</summary>
    public static void Pmovsxdq(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 2; i++)
        {
            ((long*)&result)[i] = ((int*)src)[i];
        }
        *dst = result;
    }

    /// <summary>Zero-extends the lowest lanes of the source.</summary>
    public static void Pmovzxdq(Xmm* dst, Xmm* src)
    {
        Xmm result = default;
        for (int i = 0; i < 2; i++)
        {
            ((long*)&result)[i] = ((uint*)src)[i];
        }
        *dst = result;
    }

    /// <summary>The sign bits of the bytes.</summary>
    public static uint Pmovmskb(Xmm* src) => Vector128.ExtractMostSignificantBits(Get<byte>(src));

    /// <summary>The sign bits of the 32-bit lanes.</summary>
    public static uint Movmskps(Xmm* src) => Vector128.ExtractMostSignificantBits(Get<uint>(src));

    /// <summary>The sign bits of the 64-bit lanes.</summary>
    public static uint Movmskpd(Xmm* src) => Vector128.ExtractMostSignificantBits(Get<ulong>(src));
}
