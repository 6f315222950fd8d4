using KprobeTrace.Memory;

namespace KprobeTrace.Cpu.State;

/// <summary>Where a processor's caches and its owner lie in the host's memory: no state of the guest's, and another in every process.</summary>
internal unsafe struct HostLinks
{
    /// <summary>The TLB table of the current access mode.</summary>
    public TlbEntry* Tlb;

    /// <summary>The jump cache of the current privilege: recently executed blocks by address.</summary>
    public JumpCacheEntry* JumpCache;

    /// <summary>Branch operation that left for <see cref="CpuState.Rip"/> without a link; the dispatcher may link it. Null otherwise.</summary>
    public Op* LinkFrom;

    /// <summary>What a branch without a link goes on with: <c>Flow.LeaveToLink</c>.</summary>
    public delegate*<CpuState*, Op*, Op*> LeaveToLink;

    /// <summary>Handle of the managed <c>Processor</c> the state belongs to.</summary>
    public nint Owner;

    /// <summary>In debug builds, accesses to memory since the count was last set to zero: what the bounce buffer executes makes one.</summary>
    public int Accesses;

    /// <summary>In debug builds, set while an operation is executed on the bounce buffer.</summary>
    public int OnBounce;
}
