using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>MUL, IMUL, DIV, IDIV.</summary>
internal static unsafe class MultiplyDivide
{
    /// <summary>MUL and IMUL of the accumulator; flags other than CF and OF are undefined and left alone.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Wide<T, TSource, TSigned>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
        where TSigned : struct, IFlag
    {
        byte* p = TSource.Pointer<T>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        ulong a = Registers.Read<T>(s, 0);
        ulong b = LittleEndian.Get<T>(p);
        ulong low, high;
        bool wide;
        if (TSigned.Value)
        {
            long x = LazyFlags.SignExtend<T>(a);
            long y = LazyFlags.SignExtend<T>(b);
            long product = x * y;
            low = (ulong)product;
            high = (ulong)(sizeof(T) == 8 ? HighHalf.OfSigned(x, y) : product >> Registers.Bits<T>());
            wide = IsWide<T>(x, y);
        }
        else
        {
            low = a * b;
            high = sizeof(T) == 8 ? HighHalf.OfUnsigned(a, b) : low >> Registers.Bits<T>();
            wide = high != 0;
        }

        if (sizeof(T) == 1)
        {
            *(ushort*)s = (ushort)low;
        }
        else
        {
            Registers.Write<T>(s, 0, low);
            Registers.Write<T>(s, Registers.Rdx * 8, high);
        }

        LazyFlags.SetCarryOverflow(s, wide, wide);
        return Flow.Next(s, op);
    }

    /// <summary>IMUL with a destination register; the other factor is the register itself or an immediate.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Narrow<T, TSource, TImmediate, TFlags>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
        where TImmediate : struct, IFlag
        where TFlags : struct, IFlag
    {
        if (!TSource.TryPoint<T>(s, op, out byte* p))
        {
            return TSource.Miss<T>(s, op);
        }

        long a = LazyFlags.SignExtend<T>(LittleEndian.Get<T>(p));
        long b = TImmediate.Value ? op->Immediate : LazyFlags.SignExtend<T>(Registers.Read<T>(s, op->Destination));
        if (TFlags.Value)
        {
            bool wide = IsWide<T>(a, b);
            LazyFlags.SetCarryOverflow(s, wide, wide);
        }

        Registers.Write<T>(s, op->Destination, (ulong)(a * b));
        return Flow.Next(s, op);
    }

    /// <summary>DIV and IDIV; all flags are undefined and left alone.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Divide<T, TSource, TSigned>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
        where TSigned : struct, IFlag
    {
        byte* p = TSource.Pointer<T>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        ulong divisor = LittleEndian.Get<T>(p);
        ulong low = sizeof(T) == 1 ? (byte)s->R[0] : Registers.Read<T>(s, 0);
        ulong high = sizeof(T) == 1 ? (byte)(s->R[0] >> 8) : Registers.Read<T>(s, Registers.Rdx * 8);
        bool fits = TSigned.Value
            ? TryDivideSigned<T>(high, low, divisor, out ulong quotient, out ulong remainder)
            : TryDivide<T>(high, low, divisor, out quotient, out remainder);
        if (!fits)
        {
            return Flow.Fault(s, op, Vector.DivideError);
        }

        if (sizeof(T) == 1)
        {
            *(ushort*)s = (ushort)((quotient & 0xFF) | (remainder << 8));
        }
        else
        {
            Registers.Write<T>(s, 0, quotient);
            Registers.Write<T>(s, Registers.Rdx * 8, remainder);
        }

        return op + 1;
    }

    /// <summary>Whether a product does not fit the width of its factors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsWide<T>(long a, long b)
        where T : unmanaged =>
        sizeof(T) == 8 ? HighHalf.OfSigned(a, b) != (a * b) >> 63 : LazyFlags.SignExtend<T>((ulong)(a * b)) != a * b;

    private static bool TryDivide<T>(ulong high, ulong low, ulong divisor, out ulong quotient, out ulong remainder)
        where T : unmanaged
    {
        quotient = remainder = 0;
        if (high >= divisor)
        {
            return false;
        }

        if (sizeof(T) < 8)
        {
            ulong dividend = (high << Registers.Bits<T>()) | low;
            (quotient, remainder) = Math.DivRem(dividend, divisor);
        }
        else if (high == 0)
        {
            (quotient, remainder) = Math.DivRem(low, divisor);
        }
        else
        {
            UInt128 dividend = new(high, low);
            UInt128 q = dividend / divisor;
            quotient = (ulong)q;
            remainder = (ulong)(dividend - (q * divisor));
        }

        return true;
    }

    private static bool TryDivideSigned<T>(ulong high, ulong low, ulong divisor, out ulong quotient, out ulong remainder)
        where T : unmanaged
    {
        int bits = Registers.Bits<T>();
        Int128 dividend = sizeof(T) == 8
            ? new Int128(high, low)
            : (Int128)((LazyFlags.SignExtend<T>(high) << bits) | (long)low);
        Int128 d = LazyFlags.SignExtend<T>(divisor);
        quotient = remainder = 0;
        if (d == 0)
        {
            return false;
        }

        Int128 limit = Int128.One << (bits - 1);

        // Int128.MinValue / -1 overflows in C#; no dividend of that size has a quotient that fits anyway.
        if (dividend == Int128.MinValue)
        {
            return false;
        }

        Int128 q = dividend / d;
        if (q < -limit || q >= limit)
        {
            return false;
        }

        quotient = (ulong)(long)q;
        remainder = (ulong)(long)(dividend - (q * d));
        return true;
    }
}
