using System.Runtime.Intrinsics;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Simd;

/// <summary>
/// The integer operations of MMX and SSE on packed lanes: dst = dst op src. What works lane by lane serves MMX too, where
/// the upper halves mean nothing; forms that cross lanes have a twin in <see cref="MmxLanes"/>.
/// </summary>
// SAFETY: every function of this class touches exactly the 16 bytes behind each pointer, which callers take from locals.
internal static unsafe partial class IntegerLanes
{
    private static Vector128<T> Get<T>(Xmm* x) => *(Vector128<T>*)x;

    private static void Set<T>(Xmm* x, Vector128<T> value) => *(Vector128<T>*)x = value;

    /// <summary>Sums, wrapping.</summary>
    public static void Paddb(Xmm* dst, Xmm* src) =>
        Set(dst, Get<byte>(dst) + Get<byte>(src));

    /// <summary>Sums, wrapping.</summary>
    public static void Paddw(Xmm* dst, Xmm* src) =>
        Set(dst, Get<ushort>(dst) + Get<ushort>(src));

    /// <summary>Sums, wrapping.</summary>
    public static void Paddd(Xmm* dst, Xmm* src) =>
        Set(dst, Get<uint>(dst) + Get<uint>(src));

    /// <summary>Sums, wrapping.</summary>
    public static void Paddq(Xmm* dst, Xmm* src) =>
        Set(dst, Get<ulong>(dst) + Get<ulong>(src));

    /// <summary>Differences, wrapping.</summary>
    public static void Psubb(Xmm* dst, Xmm* src) =>
        Set(dst, Get<byte>(dst) - Get<byte>(src));

    /// <summary>Differences, wrapping.</summary>
    public static void Psubw(Xmm* dst, Xmm* src) =>
        Set(dst, Get<ushort>(dst) - Get<ushort>(src));

    /// <summary>Differences, wrapping.</summary>
    public static void Psubd(Xmm* dst, Xmm* src) =>
        Set(dst, Get<uint>(dst) - Get<uint>(src));

    /// <summary>Differences, wrapping.</summary>
    public static void Psubq(Xmm* dst, Xmm* src) =>
        Set(dst, Get<ulong>(dst) - Get<ulong>(src));

    /// <summary>Sums, saturating.</summary>
    public static void Paddsb(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.AddSaturate(Get<sbyte>(dst), Get<sbyte>(src)));

    /// <summary>Sums, saturating.</summary>
    public static void Paddsw(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.AddSaturate(Get<short>(dst), Get<short>(src)));

    /// <summary>Sums, saturating.</summary>
    public static void Paddusb(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.AddSaturate(Get<byte>(dst), Get<byte>(src)));

    /// <summary>Sums, saturating.</summary>
    public static void Paddusw(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.AddSaturate(Get<ushort>(dst), Get<ushort>(src)));

    /// <summary>Differences, saturating.</summary>
    public static void Psubsb(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.SubtractSaturate(Get<sbyte>(dst), Get<sbyte>(src)));

    /// <summary>Differences, saturating.</summary>
    public static void Psubsw(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.SubtractSaturate(Get<short>(dst), Get<short>(src)));

    /// <summary>Differences, saturating.</summary>
    public static void Psubusb(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.SubtractSaturate(Get<byte>(dst), Get<byte>(src)));

    /// <summary>Differences, saturating.</summary>
    public static void Psubusw(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.SubtractSaturate(Get<ushort>(dst), Get<ushort>(src)));

    /// <summary>Lower halves of products.</summary>
    public static void Pmullw(Xmm* dst, Xmm* src) =>
        Set(dst, Get<short>(dst) * Get<short>(src));

    /// <summary>Lower halves of products.</summary>
    public static void Pmulld(Xmm* dst, Xmm* src) =>
        Set(dst, Get<int>(dst) * Get<int>(src));

    /// <summary>Larger of each pair.</summary>
    public static void Pmaxub(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Max(Get<byte>(dst), Get<byte>(src)));

    /// <summary>Larger of each pair.</summary>
    public static void Pmaxsb(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Max(Get<sbyte>(dst), Get<sbyte>(src)));

    /// <summary>Larger of each pair.</summary>
    public static void Pmaxuw(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Max(Get<ushort>(dst), Get<ushort>(src)));

    /// <summary>Larger of each pair.</summary>
    public static void Pmaxsw(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Max(Get<short>(dst), Get<short>(src)));

    /// <summary>Larger of each pair.</summary>
    public static void Pmaxud(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Max(Get<uint>(dst), Get<uint>(src)));

    /// <summary>Larger of each pair.</summary>
    public static void Pmaxsd(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Max(Get<int>(dst), Get<int>(src)));

    /// <summary>Smaller of each pair.</summary>
    public static void Pminub(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Min(Get<byte>(dst), Get<byte>(src)));

    /// <summary>Smaller of each pair.</summary>
    public static void Pminsb(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Min(Get<sbyte>(dst), Get<sbyte>(src)));

    /// <summary>Smaller of each pair.</summary>
    public static void Pminuw(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Min(Get<ushort>(dst), Get<ushort>(src)));

    /// <summary>Smaller of each pair.</summary>
    public static void Pminsw(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Min(Get<short>(dst), Get<short>(src)));

    /// <summary>Smaller of each pair.</summary>
    public static void Pminud(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Min(Get<uint>(dst), Get<uint>(src)));

    /// <summary>Smaller of each pair.</summary>
    public static void Pminsd(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Min(Get<int>(dst), Get<int>(src)));

    /// <summary>All ones where equal.</summary>
    public static void Pcmpeqb(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Equals(Get<byte>(dst), Get<byte>(src)));

    /// <summary>All ones where equal.</summary>
    public static void Pcmpeqw(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Equals(Get<ushort>(dst), Get<ushort>(src)));

    /// <summary>All ones where equal.</summary>
    public static void Pcmpeqd(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Equals(Get<uint>(dst), Get<uint>(src)));

    /// <summary>All ones where equal.</summary>
    public static void Pcmpeqq(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Equals(Get<ulong>(dst), Get<ulong>(src)));

    /// <summary>All ones where greater, signed.</summary>
    public static void Pcmpgtb(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.GreaterThan(Get<sbyte>(dst), Get<sbyte>(src)));

    /// <summary>All ones where greater, signed.</summary>
    public static void Pcmpgtw(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.GreaterThan(Get<short>(dst), Get<short>(src)));

    /// <summary>All ones where greater, signed.</summary>
    public static void Pcmpgtd(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.GreaterThan(Get<int>(dst), Get<int>(src)));

    /// <summary>All ones where greater, signed.</summary>
    public static void Pcmpgtq(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.GreaterThan(Get<long>(dst), Get<long>(src)));

    /// <summary>Bitwise and.</summary>
    public static void Pand(Xmm* dst, Xmm* src) =>
        Set(dst, Get<ulong>(dst) & Get<ulong>(src));

    /// <summary>Bitwise and with the complement of the destination.</summary>
    public static void Pandn(Xmm* dst, Xmm* src) =>
        Set(dst, ~Get<ulong>(dst) & Get<ulong>(src));

    /// <summary>Bitwise or.</summary>
    public static void Por(Xmm* dst, Xmm* src) =>
        Set(dst, Get<ulong>(dst) | Get<ulong>(src));

    /// <summary>Bitwise exclusive or.</summary>
    public static void Pxor(Xmm* dst, Xmm* src) =>
        Set(dst, Get<ulong>(dst) ^ Get<ulong>(src));

    /// <summary>Magnitudes of the source.</summary>
    public static void Pabsb(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Abs(Get<sbyte>(src)));

    /// <summary>Magnitudes of the source.</summary>
    public static void Pabsw(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Abs(Get<short>(src)));

    /// <summary>Magnitudes of the source.</summary>
    public static void Pabsd(Xmm* dst, Xmm* src) =>
        Set(dst, Vector128.Abs(Get<int>(src)));

    /// <summary>The destination times the sign of the source.</summary>
    public static void Psignb(Xmm* dst, Xmm* src)
    {
        Vector128<sbyte> a = Get<sbyte>(dst);
        Vector128<sbyte> sign = Get<sbyte>(src);
        Vector128<sbyte> negated = Vector128.ConditionalSelect(
            Vector128.LessThan(sign, Vector128<sbyte>.Zero), -a, a);
        Set(dst, Vector128.AndNot(negated, Vector128.Equals(sign, Vector128<sbyte>.Zero)));
    }

    /// <summary>The destination times the sign of the source.</summary>
    public static void Psignw(Xmm* dst, Xmm* src)
    {
        Vector128<short> a = Get<short>(dst);
        Vector128<short> sign = Get<short>(src);
        Vector128<short> negated = Vector128.ConditionalSelect(
            Vector128.LessThan(sign, Vector128<short>.Zero), -a, a);
        Set(dst, Vector128.AndNot(negated, Vector128.Equals(sign, Vector128<short>.Zero)));
    }

    /// <summary>The destination times the sign of the source.</summary>
    public static void Psignd(Xmm* dst, Xmm* src)
    {
        Vector128<int> a = Get<int>(dst);
        Vector128<int> sign = Get<int>(src);
        Vector128<int> negated = Vector128.ConditionalSelect(
            Vector128.LessThan(sign, Vector128<int>.Zero), -a, a);
        Set(dst, Vector128.AndNot(negated, Vector128.Equals(sign, Vector128<int>.Zero)));
    }

    /// <summary>Upper halves of signed products.</summary>
    public static void Pmulhw(Xmm* dst, Xmm* src)
    {
        short* a = (short*)dst;
        short* b = (short*)src;
        for (int i = 0; i < 8; i++)
        {
            a[i] = (short)(a[i] * b[i] >> 16);
        }
    }

    /// <summary>Upper halves of unsigned products.</summary>
    public static void Pmulhuw(Xmm* dst, Xmm* src)
    {
        ushort* a = (ushort*)dst;
        ushort* b = (ushort*)src;
        for (int i = 0; i < 8; i++)
        {
            a[i] = (ushort)((uint)a[i] * b[i] >> 16);
        }
    }

    /// <summary>Rounded upper halves of doubled signed products.</summary>
    public static void Pmulhrsw(Xmm* dst, Xmm* src)
    {
        short* a = (short*)dst;
        short* b = (short*)src;
        for (int i = 0; i < 8; i++)
        {
            a[i] = (short)(((a[i] * b[i] >> 14) + 1) >> 1);
        }
    }

    /// <summary>Averages, rounded up.</summary>
    public static void Pavgb(Xmm* dst, Xmm* src)
    {
        byte* a = (byte*)dst;
        byte* b = (byte*)src;
        for (int i = 0; i < 16; i++)
        {
            a[i] = (byte)((a[i] + b[i] + 1) >> 1);
        }
    }

    /// <summary>Averages, rounded up.</summary>
    public static void Pavgw(Xmm* dst, Xmm* src)
    {
        ushort* a = (ushort*)dst;
        ushort* b = (ushort*)src;
        for (int i = 0; i < 8; i++)
        {
            a[i] = (ushort)((a[i] + b[i] + 1) >> 1);
        }
    }

    /// <summary>Products of the lower unsigned halves of each 64 bits.</summary>
    public static void Pmuludq(Xmm* dst, Xmm* src)
    {
        ulong* a = (ulong*)dst;
        ulong* b = (ulong*)src;
        for (int i = 0; i < 2; i++)
        {
            a[i] = (ulong)(uint)a[i] * (uint)b[i];
        }
    }

    /// <summary>Products of the lower signed halves of each 64 bits.</summary>
    public static void Pmuldq(Xmm* dst, Xmm* src)
    {
        long* a = (long*)dst;
        long* b = (long*)src;
        for (int i = 0; i < 2; i++)
        {
            a[i] = (long)(int)a[i] * (int)b[i];
        }
    }

    /// <summary>Sums of two neighbouring signed products.</summary>
    public static void Pmaddwd(Xmm* dst, Xmm* src)
    {
        short* a = (short*)dst;
        short* b = (short*)src;
        int* sum = (int*)dst;
        for (int i = 0; i < 4; i++)
        {
            sum[i] = (a[2 * i] * b[2 * i]) + (a[(2 * i) + 1] * b[(2 * i) + 1]);
        }
    }

    /// <summary>Saturated sums of two neighbouring products of unsigned and signed bytes.</summary>
    public static void Pmaddubsw(Xmm* dst, Xmm* src)
    {
        byte* a = (byte*)dst;
        sbyte* b = (sbyte*)src;
        short* sum = (short*)dst;
        for (int i = 0; i < 8; i++)
        {
            int value = (a[2 * i] * b[2 * i]) + (a[(2 * i) + 1] * b[(2 * i) + 1]);
            sum[i] = (short)Math.Clamp(value, short.MinValue, short.MaxValue);
        }
    }

    /// <summary>Sums of eight absolute differences of bytes, one for each 64 bits.</summary>
    public static void Psadbw(Xmm* dst, Xmm* src)
    {
        byte* a = (byte*)dst;
        byte* b = (byte*)src;
        for (int half = 0; half < 2; half++)
        {
            ulong sum = 0;
            for (int i = half * 8; i < (half * 8) + 8; i++)
            {
                sum += (ulong)Math.Abs(a[i] - b[i]);
            }
            ((ulong*)dst)[half] = sum;
        }
    }

    /// <summary>The smallest unsigned word of the source and its index, the rest zero.</summary>
    public static void Phminposuw(Xmm* dst, Xmm* src)
    {
        ushort* b = (ushort*)src;
        int least = 0;
        for (int i = 1; i < 8; i++)
        {
            least = b[i] < b[least] ? i : least;
        }
        *dst = new Xmm(b[least] | ((ulong)least << 16), 0);
    }

    /// <summary>Eight sums of four absolute differences (Intel SDM vol. 2, MPSADBW).</summary>
    public static void Mpsadbw(Xmm* dst, Xmm* src, int immediate)
    {
        Xmm result = default;
        byte* a = (byte*)dst + (immediate & 4);
        byte* b = (byte*)src + ((immediate & 3) * 4);
        for (int i = 0; i < 8; i++)
        {
            int sum = 0;
            for (int j = 0; j < 4; j++)
            {
                sum += Math.Abs(a[i + j] - b[j]);
            }
            ((ushort*)&result)[i] = (ushort)sum;
        }
        *dst = result;
    }
}
