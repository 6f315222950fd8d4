using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>The upper halves of 64-bit products, as plain values.</summary>
/// <remarks>
/// <see cref="Math.BigMul(ulong, ulong, out ulong)"/> takes the address of a variable, and a handler with such a variable goes on
/// by a call in place of a jump.
/// </remarks>
internal static class HighHalf
{
    /// <summary>Bits 64 to 127 of the product of two unsigned factors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong OfUnsigned(ulong a, ulong b) =>
        Bmi2.X64.IsSupported ? Bmi2.X64.MultiplyNoFlags(a, b)
        : ArmBase.Arm64.IsSupported ? ArmBase.Arm64.MultiplyHigh(a, b)
        : InParts(a, b);

    /// <summary>Bits 64 to 127 of the product of two signed factors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long OfSigned(long a, long b) =>
        (long)OfUnsigned((ulong)a, (ulong)b) - ((a >> 63) & b) - ((b >> 63) & a);

    /// <summary>The same from four products of 32-bit halves, for processors without an instruction for it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static ulong InParts(ulong a, ulong b)
    {
        ulong low = (ulong)(uint)a * (uint)b;
        ulong first = ((a >> 32) * (uint)b) + (low >> 32);
        ulong second = ((uint)a * (b >> 32)) + (uint)first;
        return ((a >> 32) * (b >> 32)) + (first >> 32) + (second >> 32);
    }
}
