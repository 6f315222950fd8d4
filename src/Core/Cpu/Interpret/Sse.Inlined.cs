using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <content>The operations that string functions and memory copies consist of.</content>
internal static unsafe partial class Sse
{
    /// <summary>Moves of 16 bytes.</summary>
    internal readonly struct Move : ILaneOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply(Xmm* dst, Xmm* src) => *(Vector128<byte>*)dst = *(Vector128<byte>*)src;
    }

    /// <summary>PXOR, XORPS, XORPD.</summary>
    internal readonly struct Xor : ILaneOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply(Xmm* dst, Xmm* src) => *(Vector128<byte>*)dst ^= *(Vector128<byte>*)src;
    }

    /// <summary>POR, ORPS, ORPD.</summary>
    internal readonly struct Or : ILaneOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply(Xmm* dst, Xmm* src) => *(Vector128<byte>*)dst |= *(Vector128<byte>*)src;
    }

    /// <summary>PAND, ANDPS, ANDPD.</summary>
    internal readonly struct And : ILaneOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply(Xmm* dst, Xmm* src) => *(Vector128<byte>*)dst &= *(Vector128<byte>*)src;
    }

    /// <summary>PCMPEQB.</summary>
    internal readonly struct EqualBytes : ILaneOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply(Xmm* dst, Xmm* src) =>
            *(Vector128<byte>*)dst = Vector128.Equals(*(Vector128<byte>*)dst, *(Vector128<byte>*)src);
    }

    /// <summary>PMINUB.</summary>
    internal readonly struct MinimumBytes : ILaneOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply(Xmm* dst, Xmm* src) =>
            *(Vector128<byte>*)dst = Vector128.Min(*(Vector128<byte>*)dst, *(Vector128<byte>*)src);
    }
}
