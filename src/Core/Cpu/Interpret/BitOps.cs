using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;
using BitOperations = System.Numerics.BitOperations;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>BT, BTS, BTR, BTC, BSF, BSR, POPCNT, CMPXCHG, XADD, CMPXCHG8B, CMPXCHG16B.</summary>
internal static unsafe class BitOps
{
    /// <summary>What a bit test does to the bit it found.</summary>
    internal interface IBitChange
    {
        public static abstract bool Writes { get; }

        public static abstract ulong Apply(ulong value, ulong mask);
    }

    internal readonly struct Test : IBitChange
    {
        public static bool Writes => false;

        public static ulong Apply(ulong value, ulong mask) => value;
    }

    internal readonly struct Set : IBitChange
    {
        public static bool Writes => true;

        public static ulong Apply(ulong value, ulong mask) => value | mask;
    }

    internal readonly struct Reset : IBitChange
    {
        public static bool Writes => true;

        public static ulong Apply(ulong value, ulong mask) => value & ~mask;
    }

    internal readonly struct Complement : IBitChange
    {
        public static bool Writes => true;

        public static ulong Apply(ulong value, ulong mask) => value ^ mask;
    }

    /// <summary>Bit of a register; the index is cut to the operand's width.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Register<T, TSource, TChange>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
        where TChange : struct, IBitChange
    {
        int bit = (int)LittleEndian.Get<T>(TSource.Pointer<T>(s, op)) & (Registers.Bits<T>() - 1);
        ulong value = Registers.Read<T>(s, op->Destination);
        LazyFlags.SetCarry(s, ((value >> bit) & 1) != 0);
        if (TChange.Writes)
        {
            Registers.Write<T>(s, op->Destination, TChange.Apply(value, 1UL << bit));
        }

        return Flow.Next(s, op);
    }

    /// <summary>Bit of memory; a register index is signed and reaches beyond the operand, an immediate one does not.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Memory<T, TSource, TChange>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
        where TChange : struct, IBitChange
    {
        long index = LazyFlags.SignExtend<T>(LittleEndian.Get<T>(TSource.Pointer<T>(s, op)));
        int bit = (int)index & (Registers.Bits<T>() - 1);
        ulong offset = IndexedAddress.Of(s, op);
        if (TSource.CanFault is false && typeof(TSource) == typeof(RegisterSource))
        {
            int shift = BitOperations.Log2((uint)Registers.Bits<T>());
            offset += (ulong)((index >> shift) * sizeof(T));
        }

        ulong address = AnyAddress.Segmented(s, op, offset);
        byte* p = TChange.Writes ? MemoryAccess.Modify<T>(s, op, address) : MemoryAccess.Load<T>(s, op, address);
        if (p == null)
        {
            return null;
        }

        ulong value = LittleEndian.Get<T>(p);
        LazyFlags.SetCarry(s, ((value >> bit) & 1) != 0);
        if (!TChange.Writes)
        {
            return op + 1;
        }

        LittleEndian.Put<T>(p, TChange.Apply(value, 1UL << bit));
        return MemoryAccess.IsDirect(s, p) ? op + 1 : MemoryAccess.Commit(s, op);
    }

    /// <summary>BSF and (TReverse) BSR; a zero source sets ZF and leaves the destination.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Scan<T, TSource, TReverse>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
        where TReverse : struct, IFlag
    {
        byte* p = TSource.Pointer<T>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        ulong value = LittleEndian.Get<T>(p);
        if (value != 0)
        {
            int bit = TReverse.Value ? BitOperations.Log2(value) : BitOperations.TrailingZeroCount(value);
            Registers.Write<T>(s, op->Destination, (ulong)bit);
        }

        // Only ZF is defined; the others are kept, as AMD processors do.
        uint kept = LazyFlags.Status(s) & ~Rflags.ZF;
        LazyFlags.SetStatus(s, kept | (value == 0 ? Rflags.ZF : 0));
        return Flow.Next(s, op);
    }

    /// <summary>POPCNT: all flags but ZF are cleared.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* PopulationCount<T, TSource>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
    {
        byte* p = TSource.Pointer<T>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        ulong value = LittleEndian.Get<T>(p);
        Registers.Write<T>(s, op->Destination, (ulong)BitOperations.PopCount(value));
        LazyFlags.SetStatus(s, value == 0 ? Rflags.ZF : 0);
        return Flow.Next(s, op);
    }

    /// <summary>CMPXCHG with a register destination.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* CompareExchangeRegister<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong old = Registers.Read<T>(s, op->Destination);
        ulong accumulator = Registers.Read<T>(s, 0);
        LazyFlags.SetSub<T>(s, accumulator, old, Registers.Cut<T>(accumulator - old));
        if (old == accumulator)
        {
            Registers.Write<T>(s, op->Destination, Registers.Read<T>(s, op->Source));
        }
        else
        {
            // Unlike one in memory, a register destination is not written then: the upper half of a 32-bit one stays.
            Registers.Write<T>(s, 0, old);
        }

        return Flow.Next(s, op);
    }

    /// <summary>CMPXCHG with a memory destination, which is written in either case.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* CompareExchangeMemory<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong address = AnyAddress.Of(s, op);
        if (!MemoryAccess.TryStore<T>(s, address, out byte* p))
        {
            return MemoryAccess.MissModify(s, op, address, sizeof(T));
        }

        ulong old = LittleEndian.Get<T>(p);
        ulong accumulator = Registers.Read<T>(s, 0);
        LazyFlags.SetSub<T>(s, accumulator, old, Registers.Cut<T>(accumulator - old));
        if (old == accumulator)
        {
            LittleEndian.Put<T>(p, Registers.Read<T>(s, op->Source));
        }
        else
        {
            Registers.Write<T>(s, 0, old);
        }

        return Flow.Next(s, op);
    }

    /// <summary>XADD of two registers.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ExchangeAddRegister<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong a = Registers.Read<T>(s, op->Destination);
        ulong b = Registers.Read<T>(s, op->Source);
        ulong r = Alu.Add.Apply<T, Yes>(s, a, b);
        Registers.Write<T>(s, op->Source, a);
        Registers.Write<T>(s, op->Destination, r);
        return op + 1;
    }

    /// <summary>XADD to memory.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ExchangeAddMemory<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        byte* p = MemoryAccess.Modify<T>(s, op, AnyAddress.Of(s, op));
        if (p == null)
        {
            return null;
        }

        ulong a = LittleEndian.Get<T>(p);
        ulong r = Alu.Add.Apply<T, Yes>(s, a, Registers.Read<T>(s, op->Source));
        LittleEndian.Put<T>(p, r);
        Registers.Write<T>(s, op->Source, a);
        return MemoryAccess.IsDirect(s, p) ? op + 1 : MemoryAccess.Commit(s, op);
    }

    /// <summary>CMPXCHG8B (T = uint) and CMPXCHG16B (T = ulong); only ZF changes.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* CompareExchangePair<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong address = AnyAddress.Of(s, op);
        if (sizeof(T) == 8 && (address & 15) != 0)
        {
            return Flow.Fault(s, op, Vector.GeneralProtection);
        }

        byte* p = sizeof(T) == 8 ? MemoryAccess.Modify<Xmm>(s, op, address) : MemoryAccess.Modify<ulong>(s, op, address);
        if (p == null)
        {
            return null;
        }

        ulong low = LittleEndian.Get<T>(p);
        ulong high = LittleEndian.Get<T>(p + sizeof(T));
        bool equal = low == Registers.Read<T>(s, 0) && high == Registers.Read<T>(s, Registers.Rdx * 8);
        if (equal)
        {
            LittleEndian.Put<T>(p, s->R[Registers.Rbx]);
            LittleEndian.Put<T>(p + sizeof(T), s->R[Registers.Rcx]);
        }
        else
        {
            Registers.Write<T>(s, 0, low);
            Registers.Write<T>(s, Registers.Rdx * 8, high);
        }

        uint kept = LazyFlags.Status(s) & ~Rflags.ZF;
        LazyFlags.SetStatus(s, kept | (equal ? Rflags.ZF : 0));
        return MemoryAccess.IsDirect(s, p) ? op + 1 : MemoryAccess.Commit(s, op);
    }
}
