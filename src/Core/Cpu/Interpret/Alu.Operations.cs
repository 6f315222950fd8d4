using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <content>What each operation computes, and its flags (Intel SDM vol. 2, the instruction's own page).</content>
internal static unsafe partial class Alu
{
    internal readonly struct Add : IBinary
    {
        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, ulong b)
            where T : unmanaged
            where TFlags : struct, IFlag
        {
            ulong r = Registers.Cut<T>(a + b);
            if (TFlags.Value)
            {
                LazyFlags.SetAdd<T>(s, a, b, r);
            }

            return r;
        }
    }

    internal readonly struct Adc : IBinary
    {
        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, ulong b)
            where T : unmanaged
            where TFlags : struct, IFlag
        {
            ulong r = Registers.Cut<T>(a + b + (s->FlagCarry >> 31));
            LazyFlags.SetAdd<T>(s, a, b, r);
            return r;
        }
    }

    internal readonly struct Sub : IBinary
    {
        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, ulong b)
            where T : unmanaged
            where TFlags : struct, IFlag
        {
            ulong r = Registers.Cut<T>(a - b);
            if (TFlags.Value)
            {
                LazyFlags.SetSub<T>(s, a, b, r);
            }

            return r;
        }
    }

    internal readonly struct Sbb : IBinary
    {
        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, ulong b)
            where T : unmanaged
            where TFlags : struct, IFlag
        {
            ulong r = Registers.Cut<T>(a - b - (s->FlagCarry >> 31));
            LazyFlags.SetSub<T>(s, a, b, r);
            return r;
        }
    }

    internal readonly struct Cmp : IBinary
    {
        public static bool Writes => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, ulong b)
            where T : unmanaged
            where TFlags : struct, IFlag
        {
            LazyFlags.SetSub<T>(s, a, b, Registers.Cut<T>(a - b));
            return a;
        }
    }

    internal readonly struct And : IBinary
    {
        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, ulong b)
            where T : unmanaged
            where TFlags : struct, IFlag => Logic<T, TFlags>(s, a & b);
    }

    internal readonly struct Or : IBinary
    {
        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, ulong b)
            where T : unmanaged
            where TFlags : struct, IFlag => Logic<T, TFlags>(s, a | b);
    }

    internal readonly struct Xor : IBinary
    {
        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, ulong b)
            where T : unmanaged
            where TFlags : struct, IFlag => Logic<T, TFlags>(s, a ^ b);
    }

    internal readonly struct Test : IBinary
    {
        public static bool Writes => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, ulong b)
            where T : unmanaged
            where TFlags : struct, IFlag => Logic<T, Yes>(s, a & b);
    }

    internal readonly struct Inc : IUnary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T>(CpuState* s, ulong a)
            where T : unmanaged
        {
            uint carry = s->FlagCarry & 0x8000_0000;
            ulong r = Registers.Cut<T>(a + 1);
            LazyFlags.SetAdd<T>(s, a, 1, r);
            KeepCarry(s, carry);
            return r;
        }
    }

    internal readonly struct Dec : IUnary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T>(CpuState* s, ulong a)
            where T : unmanaged
        {
            uint carry = s->FlagCarry & 0x8000_0000;
            ulong r = Registers.Cut<T>(a - 1);
            LazyFlags.SetSub<T>(s, a, 1, r);
            KeepCarry(s, carry);
            return r;
        }
    }

    internal readonly struct Neg : IUnary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T>(CpuState* s, ulong a)
            where T : unmanaged
        {
            ulong r = Registers.Cut<T>(0 - a);
            LazyFlags.SetSub<T>(s, 0, a, r);
            return r;
        }
    }

    internal readonly struct Not : IUnary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T>(CpuState* s, ulong a)
            where T : unmanaged => ~a;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Logic<T, TFlags>(CpuState* s, ulong r)
        where T : unmanaged
        where TFlags : struct, IFlag
    {
        if (TFlags.Value)
        {
            LazyFlags.SetLogic<T>(s, r);
        }

        return r;
    }

    /// <summary>INC and DEC leave CF: the carry bits are rewritten so that CF is the old one and OF the new one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void KeepCarry(CpuState* s, uint oldCarry)
    {
        uint overflow = (s->FlagCarry ^ (s->FlagCarry << 1)) & 0x8000_0000;
        s->FlagCarry = oldCarry | ((oldCarry ^ overflow) >> 1);
    }
}
