using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>Guest memory as handlers see it: a TLB test inline, everything else in one call.</summary>
/// <remarks>
/// There are two ways. Handlers of common instructions, which make one access and change nothing before it, test with
/// <c>TryLoad</c> or <c>TryStore</c> and return <see cref="MissLoad"/>, <see cref="MissStore"/> or
/// <see cref="MissModify"/> when that fails: the slow path then makes the access possible and executes the operation again, or
/// executes it on the bounce buffer. Other handlers call <see cref="Load{T}"/>, <see cref="SlowStore"/> and
/// <see cref="Modify{T}"/>; a pointer to <see cref="CpuState.Bounce"/> stands in for MMIO and for operands that cross a page,
/// and null means that a fault is pending and the handler must return null.
/// </remarks>
internal static unsafe class MemoryAccess
{
    /// <summary>Points to <c>sizeof(T)</c> guest bytes for reading; false when that takes the slow path.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryLoad<T>(CpuState* s, ulong address, out byte* host)
        where T : unmanaged
    {
        BounceChecks.Count(s);
        TlbEntry* e = Tlb.EntryOf(s->Host.Tlb, address);
        host = (byte*)(address + e->Addend);
        return address - e->ReadTag <= (ulong)(PhysicalMemory.PageSize - sizeof(T));
    }

    /// <summary>Points to <c>sizeof(T)</c> guest bytes for writing, or for reading and writing; false when that takes the slow path.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryStore<T>(CpuState* s, ulong address, out byte* host)
        where T : unmanaged
    {
        BounceChecks.Count(s);
        TlbEntry* e = Tlb.EntryOf(s->Host.Tlb, address);
        host = (byte*)(address + e->Addend);
        return address - e->WriteTag <= (ulong)(PhysicalMemory.PageSize - sizeof(T));
    }

    /// <summary>Executes an operation whose load failed the inline test; its handler returns what this returns.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Op* MissLoad(CpuState* s, Op* op, ulong address, int size) =>
        Processor.Of(s).Retry(op, address, size, reads: true, writes: false);

    /// <summary>Executes an operation whose store failed the inline test; its handler returns what this returns.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Op* MissStore(CpuState* s, Op* op, ulong address, int size) =>
        Processor.Of(s).Retry(op, address, size, reads: false, writes: true);

    /// <summary>Executes an operation whose read-modify-write failed the inline test; its handler returns what this returns.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Op* MissModify(CpuState* s, Op* op, ulong address, int size) =>
        Processor.Of(s).Retry(op, address, size, reads: true, writes: true);

    /// <summary>A host pointer to <c>sizeof(T)</c> guest bytes for reading once, or null on a fault.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Load<T>(CpuState* s, Op* op, ulong address)
        where T : unmanaged => TryLoad<T>(s, address, out byte* host) ? host : SlowLoad(s, op, address, sizeof(T));

    /// <summary>A host pointer to guest bytes for writing when no slow path is needed, else null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* TryStore<T>(CpuState* s, ulong address)
        where T : unmanaged => TryStore<T>(s, address, out byte* host) ? host : null;

    /// <summary>Stores an integer of up to 8 bytes and goes on to the next operation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Op* Store<T>(CpuState* s, Op* op, ulong address, ulong value)
        where T : unmanaged
    {
        if (!TryStore<T>(s, address, out byte* host))
        {
            return SlowStoreThenNext(s, op, address, value, sizeof(T));
        }

        LittleEndian.Put<T>(host, value);
        return Flow.Next(s, op);
    }

    /// <summary>A host pointer to guest bytes for reading and for writing before <see cref="IsDirect"/> or <see cref="Commit"/>, or null on a fault.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Modify<T>(CpuState* s, Op* op, ulong address)
        where T : unmanaged => TryStore<T>(s, address, out byte* host) ? host : SlowModify(s, op, address, sizeof(T));

    /// <summary>Whether what was written through a pointer from <see cref="Modify{T}"/> is already in guest memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsDirect(CpuState* s, byte* at) => at != (byte*)s->Bounce;

    /// <summary>Reads guest bytes that the inline test did not find: fills the TLB, or gathers them into the bounce buffer.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static byte* SlowLoad(CpuState* s, Op* op, ulong address, int size) =>
        Processor.Of(s).LoadPointer(op, address, size);

    /// <summary>Stores up to 8 bytes by the slow path; false on a fault.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool SlowStore(CpuState* s, Op* op, ulong address, ulong value, int size) =>
        Processor.Of(s).StoreBytes(op, address, (byte*)&value, size);

    /// <summary>Stores any number of bytes up to 64 by the slow path; false on a fault.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool SlowStoreBytes(CpuState* s, Op* op, ulong address, byte* from, int size) =>
        Processor.Of(s).StoreBytes(op, address, from, size);

    /// <summary>Readies guest bytes for a read-modify-write by the slow path; null on a fault.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static byte* SlowModify(CpuState* s, Op* op, ulong address, int size) =>
        Processor.Of(s).ModifyPointer(op, address, size);

    /// <summary>Writes the bounce buffer back to guest memory; the operation's right to do so was checked when it was filled.</summary>
    /// <returns>The next operation, for the run loop to look at the world before it.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Op* Commit(CpuState* s, Op* op)
    {
        Processor.Of(s).CommitBounce(op);
        return op + 1;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Op* SlowStoreThenNext(CpuState* s, Op* op, ulong address, ulong value, int size) =>
        SlowStore(s, op, address, value, size) ? op + 1 : null;
}
