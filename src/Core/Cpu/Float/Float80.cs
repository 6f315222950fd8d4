using System.Globalization;
using System.Runtime.InteropServices;

namespace KprobeTrace.Cpu.Float;

/// <summary>
/// A double extended-precision number as an x87 register holds it: 64 significand bits with an explicit integer bit,
/// 15 exponent bits biased by 16383, a sign (Intel SDM vol. 1 §4.2.2).
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Float80 : IEquatable<Float80>
{
    /// <summary>The significand; bit 63 is the integer bit.</summary>
    public ulong Mantissa;

    /// <summary>The biased exponent in bits 0 to 14, the sign in bit 15.</summary>
    public ushort SignExponent;

    /// <summary>Makes a number of its fields.</summary>
    /// <param name="signExponent">Sign and biased exponent.</param>
    /// <param name="mantissa">Significand with its integer bit.</param>
    public Float80(ushort signExponent, ulong mantissa)
    {
        SignExponent = signExponent;
        Mantissa = mantissa;
    }

    internal const int Bias = 16383;
    internal const int MinExponent = -16382;
    internal const int MaxExponent = 16383;
    internal const ulong IntegerBit = 1UL << 63;
    internal const ulong QuietBit = 1UL << 62;

    /// <summary>The quiet NaN that masked invalid operations return.</summary>
    public static Float80 DefaultNaN => new(0xFFFF, 0xC000_0000_0000_0000);

    /// <summary>Positive one.</summary>
    public static Float80 One => new(Bias, IntegerBit);

    internal readonly int Field => SignExponent & 0x7FFF;

    internal readonly bool Negative => (SignExponent & 0x8000) != 0;

    /// <summary>Whether both encodings of the exponent and the significand are zero.</summary>
    public readonly bool IsZero => Field == 0 && Mantissa == 0;

    /// <summary>Whether this is an infinity.</summary>
    public readonly bool IsInfinity => Field == 0x7FFF && Mantissa == IntegerBit;

    /// <summary>Whether this is a NaN with its integer bit set.</summary>
    public readonly bool IsNaN => Field == 0x7FFF && Mantissa > IntegerBit;

    /// <summary>Whether this is a signalling NaN.</summary>
    public readonly bool IsSignaling => IsNaN && (Mantissa & QuietBit) == 0;

    /// <summary>Whether the exponent field is 0 and the number is not: a denormal or a pseudo-denormal.</summary>
    public readonly bool IsDenormal => Field == 0 && Mantissa != 0;

    /// <summary>Whether this is an encoding that the 387 and later refuse (integer bit clear where it must be set).</summary>
    public readonly bool IsUnsupported => Field != 0 && (Mantissa & IntegerBit) == 0;

    internal static Float80 Zero(bool negative) => new((ushort)(negative ? 0x8000 : 0), 0);

    internal static Float80 Infinity(bool negative) => new((ushort)(negative ? 0xFFFF : 0x7FFF), IntegerBit);

    internal readonly Float80 WithSign(bool negative) => new((ushort)(Field | (negative ? 0x8000 : 0)), Mantissa);

    /// <inheritdoc/>
    public readonly bool Equals(Float80 other) => Mantissa == other.Mantissa && SignExponent == other.SignExponent;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is Float80 other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => HashCode.Combine(Mantissa, SignExponent);

    /// <summary>Whether two registers hold the same bits.</summary>
    public static bool operator ==(Float80 left, Float80 right) => left.Equals(right);

    /// <summary>Whether two registers differ in a bit.</summary>
    public static bool operator !=(Float80 left, Float80 right) => !left.Equals(right);

    /// <summary>The bits in hexadecimal: sign and exponent, then the significand.</summary>
    /// <returns>Four and sixteen digits, divided by a colon.</returns>
    public override readonly string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{SignExponent:x4}:{Mantissa:x16}");
}
