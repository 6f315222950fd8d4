using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD, SHRD.</summary>
/// <remarks>
/// Flags the manual leaves undefined (OF for counts above 1, AF) follow what current AMD processors do where that is simple:
/// OF is computed as for a count of 1 from the last bit shifted.
/// </remarks>
internal static unsafe class Shifts
{
    /// <summary>A shift of a zero-extended value by a masked, non-zero count; sets the flags.</summary>
    internal interface IShift
    {
        public static abstract ulong Apply<T, TFlags>(CpuState* s, ulong a, int count)
            where T : unmanaged
            where TFlags : struct, IFlag;
    }

    internal readonly struct Shl : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, int count)
            where T : unmanaged
            where TFlags : struct, IFlag
        {
            int bits = Registers.Bits<T>();
            ulong r = Registers.Cut<T>(a << count);
            if (TFlags.Value)
            {
                bool carry = count <= bits && ((a >> (bits - count)) & 1) != 0;
                LazyFlags.SetResult<T>(s, r, carry, carry != (LazyFlags.SignExtend<T>(r) < 0));
            }

            return r;
        }
    }

    internal readonly struct Shr : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, int count)
            where T : unmanaged
            where TFlags : struct, IFlag
        {
            ulong last = a >> (count - 1);
            ulong r = last >> 1;
            if (TFlags.Value)
            {
                bool overflow = LazyFlags.SignExtend<T>(last) < 0;
                LazyFlags.SetResult<T>(s, r, (last & 1) != 0, overflow);
            }

            return r;
        }
    }

    internal readonly struct Sar : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, int count)
            where T : unmanaged
            where TFlags : struct, IFlag
        {
            long last = LazyFlags.SignExtend<T>(a) >> (count - 1);
            ulong r = Registers.Cut<T>((ulong)(last >> 1));
            if (TFlags.Value)
            {
                LazyFlags.SetResult<T>(s, r, (last & 1) != 0, false);
            }

            return r;
        }
    }

    internal readonly struct Rol : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, int count)
            where T : unmanaged
            where TFlags : struct, IFlag
        {
            int bits = Registers.Bits<T>();
            int n = count & (bits - 1);
            ulong r = n == 0 ? a : Registers.Cut<T>((a << n) | (a >> (bits - n)));
            if (TFlags.Value)
            {
                bool carry = (r & 1) != 0;
                LazyFlags.SetCarryOverflow(s, carry, carry != (LazyFlags.SignExtend<T>(r) < 0));
            }

            return r;
        }
    }

    internal readonly struct Ror : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, int count)
            where T : unmanaged
            where TFlags : struct, IFlag
        {
            int bits = Registers.Bits<T>();
            int n = count & (bits - 1);
            ulong r = n == 0 ? a : Registers.Cut<T>((a >> n) | (a << (bits - n)));
            if (TFlags.Value)
            {
                bool carry = LazyFlags.SignExtend<T>(r) < 0;
                LazyFlags.SetCarryOverflow(s, carry, carry != (((r >> (bits - 2)) & 1) != 0));
            }

            return r;
        }
    }

    internal readonly struct Rcl : IShift
    {
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, int count)
            where T : unmanaged
            where TFlags : struct, IFlag
        {
            int bits = Registers.Bits<T>();
            bool carry = LazyFlags.Carry(s);
            for (int n = count % (bits + 1); n > 0; n--)
            {
                bool next = LazyFlags.SignExtend<T>(a) < 0;
                a = Registers.Cut<T>((a << 1) | (carry ? 1u : 0));
                carry = next;
            }

            LazyFlags.SetCarryOverflow(s, carry, carry != (LazyFlags.SignExtend<T>(a) < 0));
            return a;
        }
    }

    internal readonly struct Rcr : IShift
    {
        public static ulong Apply<T, TFlags>(CpuState* s, ulong a, int count)
            where T : unmanaged
            where TFlags : struct, IFlag
        {
            int bits = Registers.Bits<T>();
            bool carry = LazyFlags.Carry(s);
            for (int n = count % (bits + 1); n > 0; n--)
            {
                bool next = (a & 1) != 0;
                a = (a >> 1) | ((carry ? 1UL : 0) << (bits - 1));
                carry = next;
            }

            bool top = LazyFlags.SignExtend<T>(a) < 0;
            LazyFlags.SetCarryOverflow(s, carry, top != (((a >> (bits - 2)) & 1) != 0));
            return a;
        }
    }

    /// <summary>Register shifted by a non-zero constant, already masked.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* RegisterByImmediate<T, TShift, TFlags>(CpuState* s, Op* op)
        where T : unmanaged
        where TShift : struct, IShift
        where TFlags : struct, IFlag
    {
        Registers.Write<T>(s, op->Destination, TShift.Apply<T, TFlags>(s, Registers.Read<T>(s, op->Destination), (int)op->Immediate));
        return Flow.Next(s, op);
    }

    /// <summary>Register shifted by CL; a masked count of zero changes no flag, but a 32-bit destination is zero-extended.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* RegisterByCl<T, TShift>(CpuState* s, Op* op)
        where T : unmanaged
        where TShift : struct, IShift
    {
        int count = MaskedCl<T>(s);
        ulong a = Registers.Read<T>(s, op->Destination);
        Registers.Write<T>(s, op->Destination, count == 0 ? a : TShift.Apply<T, Yes>(s, a, count));
        return Flow.Next(s, op);
    }

    /// <summary>Memory shifted by a constant, already masked.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* MemoryByImmediate<T, TShift>(CpuState* s, Op* op)
        where T : unmanaged
        where TShift : struct, IShift => Memory<T, TShift>(s, op, (int)op->Immediate);

    /// <summary>Memory shifted by CL.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* MemoryByCl<T, TShift>(CpuState* s, Op* op)
        where T : unmanaged
        where TShift : struct, IShift => Memory<T, TShift>(s, op, MaskedCl<T>(s));

    /// <summary>SHLD (TLeft) or SHRD to a register, by CL (TCl) or a constant.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* DoubleRegister<T, TLeft, TCl>(CpuState* s, Op* op)
        where T : unmanaged
        where TLeft : struct, IFlag
        where TCl : struct, IFlag
    {
        int count = TCl.Value ? MaskedCl<T>(s) : (int)op->Immediate;
        ulong a = Registers.Read<T>(s, op->Destination);
        ulong r = count == 0 ? a : Double<T, TLeft>(s, a, Registers.Read<T>(s, op->Source), count);
        Registers.Write<T>(s, op->Destination, r);
        return op + 1;
    }

    /// <summary>SHLD (TLeft) or SHRD to memory, by CL (TCl) or a constant.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* DoubleMemory<T, TLeft, TCl>(CpuState* s, Op* op)
        where T : unmanaged
        where TLeft : struct, IFlag
        where TCl : struct, IFlag
    {
        byte* p = MemoryAccess.Modify<T>(s, op, AnyAddress.Of(s, op));
        if (p == null)
        {
            return null;
        }

        int count = TCl.Value ? MaskedCl<T>(s) : (int)op->Immediate;
        if (count != 0)
        {
            LittleEndian.Put<T>(p, Double<T, TLeft>(s, LittleEndian.Get<T>(p), Registers.Read<T>(s, op->Source), count));
        }

        return MemoryAccess.IsDirect(s, p) ? op + 1 : MemoryAccess.Commit(s, op);
    }

    private static Op* Memory<T, TShift>(CpuState* s, Op* op, int count)
        where T : unmanaged
        where TShift : struct, IShift
    {
        byte* p = MemoryAccess.Modify<T>(s, op, AnyAddress.Of(s, op));
        if (p == null)
        {
            return null;
        }

        if (count != 0)
        {
            LittleEndian.Put<T>(p, TShift.Apply<T, Yes>(s, LittleEndian.Get<T>(p), count));
        }

        return MemoryAccess.IsDirect(s, p) ? op + 1 : MemoryAccess.Commit(s, op);
    }

    private static ulong Double<T, TLeft>(CpuState* s, ulong a, ulong b, int count)
        where T : unmanaged
        where TLeft : struct, IFlag
    {
        int bits = Registers.Bits<T>();
        UInt128 pair;
        ulong r;
        bool carry;
        if (TLeft.Value)
        {
            // A 16-bit operand with a count above 16 shifts its own first bits in again, as processors do.
            pair = sizeof(T) == 2 ? ((UInt128)a << 32) | (b << 16) | a : ((UInt128)a << bits) | b;
            int width = sizeof(T) == 2 ? 48 : 2 * bits;
            r = Registers.Cut<T>((ulong)((pair << count) >> (width - bits)));
            carry = ((pair >> (width - count)) & 1) != 0;
        }
        else
        {
            pair = sizeof(T) == 2 ? ((UInt128)a << 32) | (b << 16) | a : ((UInt128)b << bits) | a;
            r = Registers.Cut<T>((ulong)(pair >> count));
            carry = ((pair >> (count - 1)) & 1) != 0;
        }

        bool overflow = (LazyFlags.SignExtend<T>(r) < 0) != (LazyFlags.SignExtend<T>(a) < 0);
        LazyFlags.SetResult<T>(s, r, carry, overflow);
        return r;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int MaskedCl<T>(CpuState* s)
        where T : unmanaged => (int)s->R[Registers.Rcx] & (sizeof(T) == 8 ? 63 : 31);
}
