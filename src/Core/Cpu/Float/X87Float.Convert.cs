using System.Numerics;

namespace KprobeTrace.Cpu.Float;

/// <content>Conversions to and from memory formats.</content>
internal static partial class X87Float
{
    /// <summary>Loads a single- or double-precision number (FLD m32, m64).</summary>
    /// <typeparam name="TFormat">The format in memory.</typeparam>
    public static Float80 Load<TFormat>(ulong a, ref FloatStatus status)
        where TFormat : struct, IFloatFormat
    {
        bool negative = (a >> (TFormat.FractionBits + TFormat.ExponentBits)) != 0;
        ulong magnitude = a & ((1UL << (TFormat.FractionBits + TFormat.ExponentBits)) - 1);
        if (magnitude == 0)
        {
            return Float80.Zero(negative);
        }
        if (magnitude >= SseFloat<TFormat>.Infinity)
        {
            ulong fraction = magnitude << (63 - TFormat.FractionBits) | Float80.IntegerBit;
            if (SseFloat<TFormat>.IsSignaling(a))
            {
                status.Raise(FloatFlags.Invalid);
                fraction |= Float80.QuietBit;
            }
            return new Float80((ushort)(negative ? 0xFFFF : 0x7FFF), fraction);
        }
        if (magnitude >> TFormat.FractionBits == 0)
        {
            status.Raise(FloatFlags.Denormal);
        }
        Unrounded x = SseFloat<TFormat>.Unpack(a);
        return Pack(new Rounded(negative, x.Exponent, x.High));
    }

    /// <summary>
    /// Widens a single- or double-precision operand of an arithmetic instruction. Nothing is raised and a signalling
    /// NaN stays one: that is for the operation to judge.
    /// </summary>
    /// <typeparam name="TFormat">The format in memory.</typeparam>
    /// <param name="a">The operand.</param>
    /// <param name="denormal">Whether it is denormal in its own format.</param>
    public static Float80 Widen<TFormat>(ulong a, out bool denormal)
        where TFormat : struct, IFloatFormat
    {
        FloatStatus status = default;
        Float80 wide = Load<TFormat>(a, ref status);
        denormal = (status.Flags & FloatFlags.Denormal) != 0;
        if ((status.Flags & FloatFlags.Invalid) != 0)
        {
            wide.Mantissa &= ~Float80.QuietBit;
        }
        return wide;
    }

    /// <summary>Rounds to single or double precision (FST m32, m64).</summary>
    /// <typeparam name="TFormat">The format in memory.</typeparam>
    /// <remarks>With an unmasked invalid, overflow or underflow raised, nothing is to be stored.</remarks>
    public static ulong Store<TFormat>(Float80 a, ref FloatStatus status)
        where TFormat : struct, IFloatFormat
    {
        status.RoundedUp = false;
        ulong sign = a.Negative ? 1UL << (TFormat.FractionBits + TFormat.ExponentBits) : 0;
        if (a.IsUnsupported)
        {
            status.Raise(FloatFlags.Invalid);
            return SseFloat<TFormat>.DefaultNaN;
        }
        if (a.IsNaN)
        {
            if (a.IsSignaling)
            {
                status.Raise(FloatFlags.Invalid);
            }
            ulong fraction = (a.Mantissa & ~Float80.IntegerBit) | Float80.QuietBit;
            return sign | SseFloat<TFormat>.Infinity | (fraction >> (63 - TFormat.FractionBits));
        }
        if (a.IsInfinity)
        {
            return sign | SseFloat<TFormat>.Infinity;
        }
        if (a.IsZero)
        {
            return sign;
        }
        ulong result = SseFloat<TFormat>.Round(Unpack(a), ref status);
        if (!status.Masked(status.Flags & (FloatFlags.Overflow | FloatFlags.Underflow)))
        {
            // What is not stored is not inexact either.
            status.Flags &= ~FloatFlags.Precision;
            status.RoundedUp = false;
        }
        return result;
    }

    /// <summary>Converts a signed integer exactly (FILD).</summary>
    public static Float80 FromInteger(long value)
    {
        if (value == 0)
        {
            return default;
        }
        ulong magnitude = value < 0 ? 0UL - (ulong)value : (ulong)value;
        int shift = BitOperations.LeadingZeroCount(magnitude);
        return Pack(new Rounded(value < 0, 63 - shift, magnitude << shift));
    }

    /// <summary>Rounds to a signed integer (FIST, FISTTP); the integer indefinite when it does not fit.</summary>
    /// <param name="a">The number.</param>
    /// <param name="bits">Width of the integer: 16, 32 or 64.</param>
    /// <param name="mode">Direction.</param>
    /// <param name="status">Receives the flags.</param>
    public static long ToInteger(Float80 a, int bits, RoundingMode mode, ref FloatStatus status)
    {
        status.RoundedUp = false;
        if (a.IsUnsupported || a.IsNaN || a.IsInfinity)
        {
            status.Raise(FloatFlags.Invalid);
            return IntegerRounder.Indefinite(bits);
        }
        return a.IsZero ? 0 : IntegerRounder.ToInteger(Unpack(a), bits, mode, ref status);
    }

    /// <summary>Reads an 18-digit packed decimal (FBLD).</summary>
    /// <param name="digits">The lower 16 digits.</param>
    /// <param name="signAndTop">The upper two digits, and the sign in bit 15.</param>
    public static Float80 FromDecimal(ulong digits, ushort signAndTop)
    {
        ulong value = ((ulong)((signAndTop >> 4) & 15) * 10) + (ulong)(signAndTop & 15);
        for (int shift = 60; shift >= 0; shift -= 4)
        {
            value = (value * 10) + ((digits >> shift) & 15);
        }
        bool negative = (signAndTop & 0x8000) != 0;
        if (value == 0)
        {
            return Float80.Zero(negative);
        }
        int leading = BitOperations.LeadingZeroCount(value);
        return Pack(new Rounded(negative, 63 - leading, value << leading));
    }

    /// <summary>Rounds to an 18-digit packed decimal (FBSTP); the packed decimal indefinite when it does not fit.</summary>
    /// <param name="a">The number.</param>
    /// <param name="signAndTop">The upper two digits, and the sign in bit 15.</param>
    /// <param name="status">Receives the flags.</param>
    /// <returns>The lower 16 digits.</returns>
    public static ulong ToDecimal(Float80 a, out ushort signAndTop, ref FloatStatus status)
    {
        long value = ToInteger(a, 64, status.Rounding, ref status);
        ulong magnitude = value < 0 ? 0UL - (ulong)value : (ulong)value;
        if (magnitude > 999_999_999_999_999_999)
        {
            status.RoundedUp = false;
            status.Flags &= ~FloatFlags.Precision;
            status.Raise(FloatFlags.Invalid);
            signAndTop = 0xFFFF;
            return 0xC000_0000_0000_0000;
        }
        ulong digits = 0;
        for (int shift = 0; shift < 64; shift += 4)
        {
            digits |= (magnitude % 10) << shift;
            magnitude /= 10;
        }
        signAndTop = (ushort)((magnitude % 10) | (magnitude / 10 << 4) | (a.Negative ? 0x8000u : 0));
        return digits;
    }
}
