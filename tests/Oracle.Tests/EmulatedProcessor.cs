using System.Buffers.Binary;
using KprobeTrace.Cpu;
using KprobeTrace.Cpu.Binding;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;
using KprobeTrace.Tests.Cpu;

namespace KprobeTrace.Tests.Oracle;

/// <summary>Runs cases by the interpreter: the counterpart of <see cref="OracleProcess"/>.</summary>
internal sealed unsafe class EmulatedProcessor : IDisposable
{
    private readonly PhysicalMemory _memory = new(GuestLayout.MemorySize);
    private readonly Processor _processor;

    public EmulatedProcessor()
    {
        GuestLayout.Build(_memory, HostKernel.Current.HasCompatibilityCode);
        _processor = Interpreter.Create(_memory, new NoBus()).Bootstrap;
        CpuState* s = _processor.State;
        s->Cr0 = Cr0.PE | Cr0.MP | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.PG;
        s->Cr3 = GuestLayout.PageTables;
        s->Cr4 = Cr4.PAE | Cr4.OSFXSR | Cr4.OSXMMEXCPT | (HostKernel.Current.HasFsGsBase ? Cr4.FSGSBASE : 0);
        s->Efer = Efer.SCE | Efer.LME | Efer.LMA | Efer.NXE;
        s->GdtBase = GuestLayout.Gdt;
        s->GdtLimit = GuestLayout.GdtSize - 1;
        s->IdtBase = GuestLayout.Idt;
        s->IdtLimit = GuestLayout.IdtSize - 1;
        s->Ldtr = default;
        s->Tr = new Segment { Base = GuestLayout.Tss, Limit = GuestLayout.TssSize - 1, Selector = 0x40, Attributes = 0x8b };
        _processor.FlushTranslations();
    }

    public Outcome Run(TestCase one)
    {
        LoadCode(one);
        foreach (MemoryPatch patch in one.Patches)
        {
            patch.Bytes.CopyTo(Writable[(int)patch.Offset..]);
        }

        LoadState(one.Initial);
        _processor.SingleStep();
        Outcome outcome = Collect();
        UnloadCode();
        return outcome;
    }

    public void Dispose()
    {
        _processor.Group.Dispose();
        _memory.Dispose();
    }

    // SAFETY: data and stack pages lie next to each other in guest RAM, which outlives the span.
    private Span<byte> Writable => new(_memory.Base + GuestLayout.DataPhysical, (int)OracleLayout.WritableSize);

    private Span<byte> Code => new(_memory.Base + GuestLayout.CodePhysical, (int)OracleLayout.CodeSize);

    private void LoadCode(TestCase one)
    {
        int room = Math.Min(one.Bytes.Length, Code.Length - (int)one.CodeOffset);
        one.Bytes.AsSpan(0, room).CopyTo(Code[(int)one.CodeOffset..]);
        InvalidateCode();
    }

    /// <summary>The case may have stored into the code pages, so all of them are filled anew.</summary>
    private void UnloadCode()
    {
        Code.Fill(0xcc);
        InvalidateCode();
    }

    private void InvalidateCode()
    {
        _processor.Group.InvalidateCode(GuestLayout.CodePhysical);
        _processor.Group.InvalidateCode(GuestLayout.CodePhysical + PhysicalMemory.PageSize);
    }

    private void LoadState(ProcessorState from)
    {
        CpuState* s = _processor.State;
        for (int i = 0; i < 16; i++)
        {
            s->R[i] = from.Gpr[i];
        }

        s->Rip = from.Rip;
        s->Cpl = 3;
        s->Segments = default;
        s->Segments.Cs = new Segment { Limit = uint.MaxValue, Selector = OracleLayout.UserCode, Attributes = 0xa0fb };
        s->Segments.Ss = new Segment { Limit = uint.MaxValue, Selector = OracleLayout.UserData, Attributes = 0xc0f3 };
        s->Segments.Fs.Base = from.FsBase;
        s->Segments.Gs.Base = from.GsBase;
        LazyFlags.Set(s, from.Rflags);
        s->FaultVector = Vector.None;
        s->FaultIsSoftware = 0;
        s->InterruptShadow = 0;
        LoadFloating(s, from.Fx);
        _processor.UpdateMode();
    }

    private static void LoadFloating(CpuState* s, byte[] fx)
    {
        ushort control = BinaryPrimitives.ReadUInt16LittleEndian(fx);
        ushort status = BinaryPrimitives.ReadUInt16LittleEndian(fx.AsSpan(2));

        // FXRSTOR works the summary bits out anew from the pending exceptions and their masks.
        bool pending = (status & ~control & 0x3f) != 0;
        int top = (status >> 11) & 7;
        s->FpuControl = control;
        s->FpuStatus = (ushort)((status & ~0xb880) | (pending ? 0x8080 : 0));
        s->FpuTop = top;
        s->FpuTags = fx[4];
        s->FpuOpcode = 0;
        s->FpuIp = s->FpuDp = 0;
        s->FpuSelectors = 0;
        s->Mxcsr = BinaryPrimitives.ReadUInt32LittleEndian(fx.AsSpan(FxImages.MxcsrOffset));
        for (int i = 0; i < 8; i++)
        {
            int physical = (top + i) & 7;
            ReadOnlySpan<byte> register = fx.AsSpan(FxImages.RegistersOffset + (i * 16), 16);
            s->FpuRegisters[physical * 2] = BinaryPrimitives.ReadUInt64LittleEndian(register);
            s->FpuRegisters[(physical * 2) + 1] = BinaryPrimitives.ReadUInt16LittleEndian(register[8..]);
        }

        for (int i = 0; i < 32; i++)
        {
            s->XmmRegisters[i] = BinaryPrimitives.ReadUInt64LittleEndian(fx.AsSpan(FxImages.XmmOffset + (i * 8)));
        }
    }

    private static void StoreFloating(CpuState* s, byte[] fx)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(fx, s->FpuControl);
        BinaryPrimitives.WriteUInt16LittleEndian(fx.AsSpan(2), (ushort)(s->FpuStatus | (s->FpuTop << 11)));
        fx[4] = s->FpuTags;
        BinaryPrimitives.WriteUInt32LittleEndian(fx.AsSpan(FxImages.MxcsrOffset), s->Mxcsr);
        for (int i = 0; i < 8; i++)
        {
            int physical = (s->FpuTop + i) & 7;
            Span<byte> register = fx.AsSpan(FxImages.RegistersOffset + (i * 16), 16);
            BinaryPrimitives.WriteUInt64LittleEndian(register, s->FpuRegisters[physical * 2]);
            BinaryPrimitives.WriteUInt16LittleEndian(register[8..], (ushort)s->FpuRegisters[(physical * 2) + 1]);
        }

        for (int i = 0; i < 32; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(fx.AsSpan(FxImages.XmmOffset + (i * 8)), s->XmmRegisters[i]);
        }
    }

    private Outcome Collect()
    {
        CpuState* s = _processor.State;
        var state = new ProcessorState { Rip = s->Rip, Rflags = LazyFlags.Get(s) };
        for (int i = 0; i < 16; i++)
        {
            state.Gpr[i] = s->R[i];
        }

        for (int i = 0; i < 6; i++)
        {
            state.Segments[i] = s->Segments[i].Selector;
        }

        state.FsBase = s->Segments.Fs.Base;
        state.GsBase = s->Segments.Gs.Base;
        StoreFloating(s, state.Fx);
        ulong vector = s->Rip - GuestLayout.Handlers;
        bool delivered = s->Cpl == 0 && vector < 256;
        Fault fault = delivered ? ReadFrame(state, (byte)vector, s->R[GprIndex.Rsp]) : default;
        return new Outcome
        {
            Kind = delivered ? OutcomeKind.Fault : OutcomeKind.Completed,
            State = state,
            Fault = fault,
            Memory = TakeMemory(),
        };
    }

    /// <summary>Takes the state at the exception from the frame on the kernel stack.</summary>
    private Fault ReadFrame(ProcessorState state, byte vector, ulong sp)
    {
        ulong physical = GuestLayout.KernelStackTopPhysical - (GuestLayout.KernelStackTop - sp);
        Span<byte> frame = stackalloc byte[48];
        bool hasError = Vector.HasErrorCode(vector);
        _memory.TryRead(physical, hasError ? frame : frame[8..]);
        ulong Item(Span<byte> from, int i) => BinaryPrimitives.ReadUInt64LittleEndian(from[(i * 8)..]);
        state.Rip = Item(frame, 1);
        state.Segments[1] = (ushort)Item(frame, 2);
        state.Rflags = Item(frame, 3);
        state.Gpr[GprIndex.Rsp] = Item(frame, 4);
        state.Segments[2] = (ushort)Item(frame, 5);
        return new Fault(vector, hasError ? Item(frame, 0) : 0, vector == Vector.PageFault ? _processor.State->Cr2 : 0);
    }

    /// <summary>Lists what differs from the pristine memory and restores it.</summary>
    private List<MemoryWord> TakeMemory()
    {
        var words = new List<MemoryWord>();
        Span<byte> now = Writable;
        ReadOnlySpan<byte> pristine = PristineMemory.Writable;
        int at = 0;
        while (at < now.Length)
        {
            at += now[at..].CommonPrefixLength(pristine[at..]) & ~7;
            if (at < now.Length)
            {
                words.Add(new MemoryWord((uint)at, BinaryPrimitives.ReadUInt64LittleEndian(now[at..])));
                pristine.Slice(at, 8).CopyTo(now[at..]);
                at += 8;
            }
        }

        return words;
    }
}
