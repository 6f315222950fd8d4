using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>The sixteen conditions of Jcc, SETcc and CMOVcc.</summary>
internal static unsafe class Conditions
{
    /// <summary>A condition: on the flags, and directly on the operands of a compare.</summary>
    internal interface ICondition
    {
        public static abstract bool Holds(CpuState* s);

        /// <summary>The condition after CMP a, b of zero-extended operands; r is the cut difference.</summary>
        public static abstract bool AfterCompare<T>(ulong a, ulong b, ulong r)
            where T : unmanaged;
    }

    /// <summary>Negates a condition.</summary>
    internal readonly struct Not<TCondition> : ICondition
        where TCondition : struct, ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => !TCondition.Holds(s);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool AfterCompare<T>(ulong a, ulong b, ulong r)
            where T : unmanaged => !TCondition.AfterCompare<T>(a, b, r);
    }

    internal readonly struct Overflow : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => LazyFlags.Overflow(s);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool AfterCompare<T>(ulong a, ulong b, ulong r)
            where T : unmanaged => LazyFlags.SignExtend<T>((a ^ b) & (a ^ r)) < 0;
    }

    internal readonly struct Below : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => LazyFlags.Carry(s);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool AfterCompare<T>(ulong a, ulong b, ulong r)
            where T : unmanaged => a < b;
    }

    internal readonly struct Equal : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => LazyFlags.Zero(s);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool AfterCompare<T>(ulong a, ulong b, ulong r)
            where T : unmanaged => a == b;
    }

    internal readonly struct BelowOrEqual : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => LazyFlags.Carry(s) || LazyFlags.Zero(s);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool AfterCompare<T>(ulong a, ulong b, ulong r)
            where T : unmanaged => a <= b;
    }

    internal readonly struct Sign : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => LazyFlags.Sign(s);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool AfterCompare<T>(ulong a, ulong b, ulong r)
            where T : unmanaged => LazyFlags.SignExtend<T>(r) < 0;
    }

    internal readonly struct Parity : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => LazyFlags.Parity(s);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool AfterCompare<T>(ulong a, ulong b, ulong r)
            where T : unmanaged => (System.Numerics.BitOperations.PopCount((byte)r) & 1) == 0;
    }

    internal readonly struct Less : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => LazyFlags.Sign(s) != LazyFlags.Overflow(s);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool AfterCompare<T>(ulong a, ulong b, ulong r)
            where T : unmanaged => LazyFlags.SignExtend<T>(a) < LazyFlags.SignExtend<T>(b);
    }

    internal readonly struct LessOrEqual : ICondition
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Holds(CpuState* s) => LazyFlags.Zero(s) || LazyFlags.Sign(s) != LazyFlags.Overflow(s);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool AfterCompare<T>(ulong a, ulong b, ulong r)
            where T : unmanaged => LazyFlags.SignExtend<T>(a) <= LazyFlags.SignExtend<T>(b);
    }
}
