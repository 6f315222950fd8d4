using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu;

/// <summary>One virtual x86-64 processor: its state, its caches and the run loop around its decoded blocks.</summary>
internal sealed unsafe partial class Processor : IDisposable
{
    private readonly ProcessorGroup _group;
    private readonly PhysicalMemory _memory;
    private readonly ICpuBus _bus;
    private readonly Tlb _tlb = new();
    private readonly JumpCache _jumpCache = new();
    private readonly FetchTlb _fetchTlb = new();
    private readonly LoneOperation _lone = new();
    private readonly BlockLookUp _blocks;
    private GCHandle _handle;

    /// <summary>Creates a processor in its state after reset, with nothing to run yet.</summary>
    /// <param name="group">What it shares with the machine's other processors.</param>
    /// <param name="index">Its index in the group.</param>
    /// <param name="bus">The machine around it.</param>
    /// <param name="engine">Makes what turns guest code into blocks for this processor.</param>
    internal Processor(ProcessorGroup group, int index, ICpuBus bus, Func<Processor, IBlockSource> engine)
    {
        _group = group;
        Index = index;
        _memory = group.Memory;
        _bus = bus;
        State = (CpuState*)NativeMemory.AlignedAlloc((nuint)sizeof(CpuState), 64);
        _handle = GCHandle.Alloc(this, GCHandleType.Weak);
        _blocks = group.Code.Attach(State, _tlb, _jumpCache, engine(this));
        Reset();
    }

    /// <summary>Frees the unmanaged state of a processor that was never disposed.</summary>
    ~Processor() => Free();

    /// <summary>The architectural and micro-architectural state, in unmanaged memory.</summary>
    public CpuState* State { get; private set; }

    /// <summary>Which of the machine's processors it is: its initial APIC id, and the number events tell.</summary>
    public int Index { get; }

    /// <summary>What it shares with the machine's other processors.</summary>
    public ProcessorGroup Group => _group;

    /// <summary>The guest RAM this processor runs in.</summary>
    public PhysicalMemory Memory => _memory;

    /// <summary>The machine around this processor.</summary>
    internal ICpuBus Bus => _bus;

    /// <summary>The processor that owns a state.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Processor Of(CpuState* s) => Unsafe.As<Processor>(GCHandle.FromIntPtr(s->Host.Owner).Target!);

    /// <summary>Puts everything into the state after a hardware reset (Intel SDM vol. 3A table 9-1).</summary>
    /// <exception cref="InvalidOperationException">The guest runs.</exception>
    public void Reset()
    {
        ThrowIfRunning();
        CpuState* s = State;
        *s = default;
        s->Host.Owner = GCHandle.ToIntPtr(_handle);
        s->Host.LeaveToLink = &Flow.LeaveToLink;
        s->FaultVector = Vector.None;
        s->Cr0 = Cr0.ET | Cr0.CD | Cr0.NW;
        s->Rip = 0xFFF0;
        s->R[2] = CpuIdentity.Signature;
        s->Mxcsr = 0x1F80;
        s->FpuControl = 0x40;
        s->Dr[6] = 0xFFFF0FF0;
        s->Dr[7] = 0x400;
        s->Pat = 0x0007040600070406;
        ModelRegisters.Reset(s);
        s->Progress = Progress.None;
        s->StoppedRepeats = StoppedRepeats.None;
        LazyFlags.Set(s, 0);
        for (int i = 0; i < 6; i++)
        {
            s->Segments[i] = new Segment { Limit = 0xFFFF, Attributes = 0x93 };
        }

        s->Segments.Cs = new Segment { Base = 0xFFFF0000, Limit = 0xFFFF, Selector = 0xF000, Attributes = 0x9B };
        s->Ldtr = new Segment { Limit = 0xFFFF, Attributes = 0x82 };
        s->Tr = new Segment { Limit = 0xFFFF, Attributes = 0x8B };
        s->GdtLimit = s->IdtLimit = 0xFFFF;
        Derive();
    }

    /// <summary>Recomputes what the run loop derives from CR0, CR4, EFER, CPL, CS, SS and EFLAGS.AC; call after changing any of them.</summary>
    public void UpdateMode()
    {
        CpuState* s = State;
        bool user = s->Cpl == 3;
        bool smap = (s->Cr4 & Cr4.SMAP) != 0;
        bool lifted = smap && (s->SystemFlags & Rflags.AC) != 0;
        bool aligned = (s->SystemFlags & Rflags.AC) != 0 && (s->Cr0 & Cr0.AM) != 0;
        s->AccessMode = user ? (aligned ? Tlb.UserAligned : Tlb.User) : lifted ? Tlb.SupervisorAc : Tlb.Supervisor;
        s->Host.Tlb = _tlb.Table(s->AccessMode);
        s->Host.JumpCache = _jumpCache.Table(user);
        _walkBits = ((s->Cr0 & Cr0.WP) != 0 ? PageAccess.WriteProtect : 0)
            | ((s->Efer & Efer.NXE) != 0 ? PageAccess.NoExecuteEnabled : 0)
            | ((s->Cr4 & Cr4.SMEP) != 0 ? PageAccess.Smep : 0);
        _systemAccess = _walkBits | (smap ? PageAccess.Smap : 0);
        _dataAccess = _walkBits | (user ? PageAccess.User : 0) | (smap && !lifted ? PageAccess.Smap : 0);
        ushort code = s->Segments.Cs.Attributes;
        int size = s->In64BitCode ? BlockMode.Code64 : (code & Segment.Big) != 0 ? BlockMode.Code32 : BlockMode.Code16;
        int stack = size != BlockMode.Code64 && (s->Segments.Ss.Attributes & Segment.Big) != 0 ? BlockMode.Stack32 : 0;
        int ring = user ? BlockMode.User : s->Cpl != 0 ? BlockMode.OuterRing : 0;
        int guarded = ((s->Cr0 & (Cr0.EM | Cr0.TS)) | (~s->Cr4 & Cr4.OSFXSR)) != 0 ? BlockMode.FloatGuarded : 0;
        int mode = size | stack | ring | guarded;
        if (((mode ^ _mode) & ~BlockMode.User) != 0)
        {
            // The jump caches are those of user mode and of the rest only: other code sizes and rings must not meet blocks of this one.
            _jumpCache.Flush();
        }

        _mode = mode;
        _legacyPaging = (s->Cr0 & Cr0.PG) != 0 && !s->InLongMode;
        if (_legacyPaging)
        {
            s->ExitRequest = 1;
        }
    }

    /// <summary>Forgets all cached translations, as a change of CR0.PG, CR4 or EFER demands.</summary>
    public void FlushTranslations()
    {
        _tlb.FlushAll();
        _fetchTlb.Flush();
        _jumpCache.Flush();
    }

    /// <summary>Sets or clears the level of the interrupt input.</summary>
    public void SetInterruptLine(bool pending)
    {
        State->InterruptPending = pending ? 1 : 0;
        if (pending)
        {
            State->ExitRequest = 1;
        }
    }

    /// <summary>Frees the unmanaged state; called by the group, which frees the code that all share.</summary>
    /// <exception cref="InvalidOperationException">The guest runs.</exception>
    public void Dispose()
    {
        ThrowIfRunning();
        _tlb.Dispose();
        _jumpCache.Dispose();
        _lone.Dispose();
        _blocks.Dispose();
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(State);
        State = null;
        if (_handle.IsAllocated)
        {
            _handle.Free();
        }
    }
}
