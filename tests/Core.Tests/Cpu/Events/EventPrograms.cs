using KprobeTrace.Cpu.State;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu.Events;

/// <summary>The events whose every effect on the machine stands in <c>Tables/events.txt</c>.</summary>
internal static unsafe class EventPrograms
{
    /// <summary>All flags that a program may have set, but the ones that end it.</summary>
    private const ulong ManyFlags = Rflags.CF | Rflags.PF | Rflags.AF | Rflags.ZF | Rflags.SF | Rflags.IF | Rflags.DF | Rflags.OF | Rflags.ID | Rflags.AC | 2;

    private const ulong NotCanonical = 0x8000_0000_0000_0000;

    internal static readonly EventProgram[] All =
    [
        // Delivery: stacks, flags, error codes.
        new("ud2 in the kernel", g => g.Flags = ManyFlags | Rflags.NT, a => a.ud2()),
        new("ud2 in user mode", g => User(g, ManyFlags | Rflags.NT), a => a.ud2()),
        new("ud2 in user mode through a trap gate", g => User(g, ManyFlags, () => g.SetGate(6, Handler(6), type: 0xF)), a => a.ud2()),
        new("ud2 in user mode on an IST stack", g => User(g, 2, () => g.SetGate(6, Handler(6), ist: 1)), a => a.ud2()),
        new("ud2 in the kernel on an IST stack", g => g.SetGate(6, Handler(6), ist: 1), a => a.ud2()),
        new("ud2 in the kernel on a crooked stack", g => g.Rsp -= 3, a => a.ud2()),
        new("ud2 in 32-bit user mode", g => User32(g, ManyFlags), a => a.ud2()) { Bits = 32 },
        new("ud2 with a handler whose segment was not accessed", g => Spare(g, 6, 0xA09A), a => a.ud2()),
        new("ud2 with a conforming handler, in user mode", g => User(g, 2, () => Spare(g, 6, 0xA09E)), a => a.ud2()),
        new("int3 in user mode", g => User(g, ManyFlags), a => a.int3()),
        new("int 80h in user mode", g => User(g, ManyFlags | Rflags.NT), a => a.@int(0x80)),
        new("int 33 in user mode, refused", g => User(g, ManyFlags), a => a.@int(0x33)),
        new("int1 in user mode", g => User(g, 2), a => a.db(0xF1)),
        new("division by zero in user mode", g => User(g, 2, () => g.Rdx = 0), a => a.div(rdx)),
        new("general protection in user mode", g => User(g, 2, () => g.Rbx = NotCanonical), a => a.mov(rax, __[rbx])),
        new("stack fault in user mode", g => User(g, 2, after: () => g.Rsp = NotCanonical), a => a.pop(rax)),
        new("privileged instruction in user mode", g => User(g, ManyFlags), a => a.hlt()),
        new("page not present, read in user mode", g => User(g, 2), a => a.mov(eax, __dword_ptr[0x500004])),
        new("page not present, written in the kernel", _ => { }, a => a.mov(__dword_ptr[0x500004], eax)),
        new("page of the kernel, written in user mode", g => User(g, 2), a => a.mov(__dword_ptr[TestGuest.Data], eax)),
        new("alignment check in user mode", g => User(g, Rflags.AC | 2, () => g.State->Cr0 |= Cr0.AM), a => a.mov(eax, __dword_ptr[TestGuest.UserData + 1])),
        new("no math unit: CR0.TS", g => WithoutUnit(g), a => a.fninit()),
        new("double fault on an IST stack", g => DoubleFault(g), a => a.mov(rax, __[rbx])),
        new("handler not present: segment not present", g => g.SetGate(6, 0, present: false), a => a.ud2()),
        new("handler's stack not canonical: stack fault", g => BadStack(g, NotCanonical), a => a.ud2()),
        new("handler's stack not mapped: page fault", g => BadStack(g, 0x500000), a => a.ud2()),

        // Tables that cannot be written or read: the page fault comes instead, and nothing else has happened.
        new("mov ds of a descriptor that cannot be marked", g => ReadOnlyTable(g, () => Descriptor(g, 0xC092)), a => a.mov(ds, eax)),
        new("mov ss of a descriptor that cannot be marked", g => ReadOnlyTable(g, () => Descriptor(g, 0xC092)), a => a.mov(ss, eax)),
        new("far jump to a segment that cannot be marked", g => ReadOnlyTable(g, () => Pointer(g, TestGuest.Spare, 0xA09A)), a => a.jmp(__fword_ptr[TestGuest.Data])),
        new("far call to a segment that cannot be marked", g => ReadOnlyTable(g, () => Pointer(g, TestGuest.Spare, 0xA09A)), a => a.call(__fword_ptr[TestGuest.Data])),
        new("far return to a segment that cannot be marked", g => ReadOnlyTable(g, () => ReturnTo(g, 0xA09A)), a => a.db(0x48, 0xCB)),
        new("iretq to a segment that cannot be marked", g => ReadOnlyTable(g, () => ReturnTo(g, 0xA09A)), a => a.iretq()),
        new("iretq to a stack that cannot be marked", g => ReadOnlyTable(g, () => ReturnToStack(g, 0xC0F2)), a => a.iretq()),
        new("ltr of a descriptor that cannot be marked", g => ReadOnlyTable(g, () => SystemDescriptor(g, 0x0089, 0x1000, 0x67)), a => a.ltr(ax)),
        new("handler in a segment that cannot be marked", g => ReadOnlyTable(g, () => Spare(g, 6, 0xA09A)), a => a.ud2()),
        new("mov ds with its table not mapped", g => NoTable(g, TestGuest.Ldt, 0x4C), a => a.mov(ds, eax)),
        new("lldt with its second half not mapped", g => HalfTable(g), a => a.lldt(ax)),
        new("ud2 on an IST stack with the TSS not mapped", g => NoTss(g), a => a.ud2()),
        new("in with the port map not mapped", g => User(g, 2, () => FarPortMap(g)), a => a.@in(al, dx)),

        // From outside.
        new("interrupt in the kernel", g => External(g, 0x40), a => a.nop()) { Run = 2 },
        new("interrupt in user mode", g => User(g, ManyFlags, () => External(g, 0x40)), a => a.nop()) { Run = 2 },
        new("interrupt while halted", g => External(g, 0x40), a => a.hlt()) { Run = 2 },
        new("NMI in user mode with interrupts off", g => User(g, 2, () => g.Bus.At(g.Processor.Now + 1, -1)), a => a.nop()) { Run = 2 },

        // Debug exceptions.
        new("single step", g => User(g, Rflags.TF | ManyFlags), a => a.nop()),
        new("single step that leaves DR7.GD for later", g => User(g, Rflags.TF | 2, () => g.State->Dr[7] = 0x2400), a => a.nop()),
        new("instruction breakpoint", g => User(g, ManyFlags, () => Breakpoint(g, 0, TestGuest.UserCode, 0x401)), a => a.nop()),
        new("instruction breakpoint that RF lets pass", g => User(g, Rflags.RF | 2, () => Breakpoint(g, 0, TestGuest.UserCode, 0x401)), a => a.nop()),
        new("data breakpoint", g => User(g, ManyFlags, () => Breakpoint(g, 1, TestGuest.UserData, 0xD00404)), a => a.mov(__dword_ptr[TestGuest.UserData], eax)),
        new("data breakpoint and single step", g => User(g, Rflags.TF | 2, () => Breakpoint(g, 3, TestGuest.UserData, 0xF0000440)), a => a.mov(eax, __dword_ptr[TestGuest.UserData])),
        new("general detect", g => g.State->Dr[7] = 0x2400, a => a.mov(rax, dr0)),
        new("general detect keeps what DR6 said", g => Detect(g), a => a.mov(dr1, rax)),

        // Calls of the system and returns from it.
        new("syscall", g => User(g, ManyFlags | Rflags.RF, () => Syscalls(g)), a => a.syscall()),
        new("syscall from 32-bit code", g => User32(g, ManyFlags, () => Syscalls(g)), a => a.syscall()) { Bits = 32 },
        new("sysret to 64-bit code", g => Sysret(g, ManyFlags | Rflags.RF | Rflags.NT | Rflags.VM | 0xFFFF_FFFF_0000_0000), a => a.sysretq()),
        new("sysret to 32-bit code", g => Sysret(g, 0), a => a.sysret()),
        new("swapgs", g => (g.State->KernelGsBase, g.State->Segments.Gs.Base) = (0x1111, 0x2222), a => a.swapgs()),
        new("iretq to user mode", g => Frame(g, 8, TestGuest.UserCode, TestGuest.UserCs, ManyFlags | Rflags.RF | Rflags.NT | Rflags.IOPL, TestGuest.UserStack, TestGuest.UserDs), a => a.iretq()),
        new("iretq in the kernel", g => Frame(g, 8, TestGuest.Code + 0x100, TestGuest.KernelCs, 2, TestGuest.KernelStack - 0x200, 0), a => a.iretq()),
        new("iretq to 32-bit user mode", g => Frame(g, 8, TestGuest.UserCode, TestGuest.UserCs32, 2, 0x20_0000_0000 | TestGuest.UserStack, TestGuest.UserDs), a => a.iretq()),
        new("iretq beyond 4 GiB of 32-bit user mode", g => Frame(g, 8, 0x20_0000_0000 | TestGuest.UserCode, TestGuest.UserCs32, 2, 0x20_0000_0000 | TestGuest.UserStack, TestGuest.UserDs), a => a.iretq()),
        new("iretd in 32-bit user mode cannot change IF and IOPL", g => Frame32(g), a => a.iretd()) { Bits = 32 },
        new("iretq in user mode to a refused segment", g => User(g, 2, after: () => Push(g, 8, TestGuest.UserCode, TestGuest.KernelCs, 2, TestGuest.UserStack, TestGuest.KernelDs)), a => a.iretq()),
        new("iretq drops segments that user mode may not have", g => DropSegments(g), a => a.iretq()),
        new("far return to user mode", g => Push(g, 8, TestGuest.UserCode, TestGuest.UserCs, 0x1111, TestGuest.UserStack, TestGuest.UserDs), a => a.db(0x48, 0xCA, 8, 0)),
        new("far return in the kernel", g => Push(g, 8, TestGuest.Code + 0x80, TestGuest.KernelCs), a => a.db(0x48, 0xCB)),
        new("far jump to 32-bit code that was not accessed", g => Pointer(g, TestGuest.Spare, 0xC09A), a => a.jmp(__fword_ptr[TestGuest.Data])),
        new("far call to the same privilege", g => Pointer(g, TestGuest.Spare, 0xA09A), a => a.call(__fword_ptr[TestGuest.Data])),

        // Segments and system registers.
        new("mov ds marks the descriptor accessed", g => Descriptor(g, 0xC092), a => a.mov(ds, eax)),
        new("mov ds of an accessed descriptor writes nothing", g => Descriptor(g, 0xC093), a => a.mov(ds, eax)),
        new("mov ss", g => Descriptor(g, 0x4092, 0x12345678, 0xABCDE), a => a.mov(ss, eax)),
        new("mov fs of a segment with a base", g => Descriptor(g, 0xC092, 0x87654321, 0xFFFFF), a => a.mov(fs, eax)),
        new("mov gs null", g => (g.Rax, g.State->Segments.Gs.Base) = (3, 0x1234), a => a.mov(gs, eax)),
        new("ltr marks the descriptor busy", g => SystemDescriptor(g, 0x0089, 0x12345678, 0xFEDCB), a => a.ltr(ax)),
        new("lldt", g => SystemDescriptor(g, 0x0082, 0x9ABCDEF0, 0x77), a => a.lldt(ax)),
        new("lldt null", g => (g.Rax, g.State->Ldtr) = (2, new Segment { Selector = 0x50, Base = 5, Limit = 9, Attributes = 0x82 }), a => a.lldt(ax)),
        new("lgdt", g => TableOperand(g), a => a.lgdt(__[TestGuest.Data])),
        new("lidt", g => TableOperand(g), a => a.lidt(__[TestGuest.Data])),
        new("sgdt", _ => { }, a => a.sgdt(__[TestGuest.Data])),
        new("sidt", _ => { }, a => a.sidt(__[TestGuest.Data])),
        new("str", _ => { }, a => a.str(__word_ptr[TestGuest.Data])),
        new("smsw", _ => { }, a => a.smsw(__word_ptr[TestGuest.Data])),
        new("clts", g => WithoutUnit(g), a => a.clts()),
        new("lmsw", g => g.Rax = 0xFFFF, a => a.lmsw(ax)),
        new("mov cr0 with WP off", g => g.Rax = 0x80000021, a => a.mov(cr0, rax)),
        new("mov cr2", g => g.Rax = 0x123456789, a => a.mov(cr2, rax)),
        new("mov cr3", g => g.Rax = TestGuest.PageTables | 0x18, a => a.mov(cr3, rax)),
        new("mov cr4", g => g.Rax = Cr4.PAE | Cr4.DE | Cr4.TSD, a => a.mov(cr4, rax)),
        new("mov cr8", g => g.Rax = 15, a => a.mov(cr8, rax)),
        new("mov dr6", g => g.Rax = 0xFFFFFFFF, a => a.mov(dr6, rax)),
        new("mov dr7", g => g.Rax = 0xFFFFDFFF, a => a.mov(dr7, rax)),
        new("mov dr3", g => g.Rax = 0xFEDCBA9876543210, a => a.mov(dr3, rax)),
        new("cli", g => g.Flags = ManyFlags, a => a.cli()),
        new("sti", g => g.Flags = 2, a => a.sti()),
        new("cld", g => g.Flags = ManyFlags, a => a.cld()),
        new("std", g => g.Flags = 2, a => a.std()),
        new("pushfq hides RF and VM", g => g.Flags = ManyFlags | Rflags.RF, a => a.pushfq()),
        new("popfq in the kernel", g => Push(g, 8, ManyFlags | Rflags.IOPL | Rflags.NT | Rflags.RF | Rflags.VM | 0xFFFF_FFFF_FFC0_8028), a => a.popfq()),
        new("popfq in user mode keeps IF and IOPL", g => User(g, Rflags.IF | 2, after: () => Push(g, 8, Rflags.IOPL | Rflags.CF)), a => a.popfq()),
        new("popfq in user mode with IOPL 3 changes IF", g => User(g, Rflags.IF | Rflags.IOPL | 2, after: () => Push(g, 8, Rflags.CF)), a => a.popfq()),
        new("popf of 16 bits keeps the upper flags", g => Popf16(g), a => a.popf()),
        new("hlt", _ => { }, a => a.hlt()),
        new("wrfsbase", g => Bases(g, 0x7FFF_FFFF_F000), a => a.wrfsbase(rax)),
        new("wrgsbase of 32 bits", g => Bases(g, 0xFFFF_FFFF), a => a.wrgsbase(eax)),
    ];

    private static ulong Handler(int vector) => TestGuest.Handlers + ((ulong)vector * 16);

    private static void User(TestGuest g, ulong flags, Action? before = null, Action? after = null)
    {
        before?.Invoke();
        g.EnterUser();
        g.Flags = flags;
        after?.Invoke();
        g.Processor.UpdateBreakpoints();
    }

    private static void User32(TestGuest g, ulong flags, Action? before = null)
    {
        before?.Invoke();
        g.EnterUser32(0x1000, codeBase: TestGuest.UserCode);
        g.Flags = flags;
    }

    private static void Spare(TestGuest g, int vector, int attributes)
    {
        g.SetDescriptor(TestGuest.Spare, TestGuest.Descriptor(attributes));
        g.SetGate(vector, Handler(vector), selector: TestGuest.Spare);
    }

    private static void ReadOnlyTable(TestGuest g, Action prepare)
    {
        prepare();
        g.Map(TestGuest.Gdt, TestGuest.Gdt, 1);
        g.Processor.FlushTranslations();
    }

    private static void ReturnTo(TestGuest g, int attributes)
    {
        g.SetDescriptor(TestGuest.Spare, TestGuest.Descriptor(attributes));
        Push(g, 8, TestGuest.Code + 0x80, TestGuest.Spare, 2, TestGuest.KernelStack, TestGuest.KernelDs);
    }

    private static void ReturnToStack(TestGuest g, int attributes)
    {
        g.SetDescriptor(TestGuest.Spare, TestGuest.Descriptor(attributes));
        Push(g, 8, TestGuest.UserCode, TestGuest.UserCs, 2, TestGuest.UserStack, TestGuest.Spare | 3UL);
    }

    private static void NoTable(TestGuest g, ulong page, ulong selector)
    {
        g.State->Ldtr = new Segment { Selector = 0x50, Base = page, Limit = 0xFFF, Attributes = 0x82 };
        g.Map(page, page, 0);
        g.Processor.FlushTranslations();
        g.Rax = selector;
    }

    /// <summary>A system descriptor whose first half ends a page, with nothing behind it.</summary>
    private static void HalfTable(TestGuest g)
    {
        const ulong Table = 0x500000;
        g.Map(Table, TestGuest.Data, TestGuest.PresentWrite);
        g.Write(TestGuest.Data + 0xFF8, TestGuest.Descriptor(0x0082));
        g.Write(TestGuest.Data + TestGuest.KernelCs, TestGuest.Descriptor(0xA09B));
        g.State->GdtBase = Table;
        g.State->GdtLimit = 0xFFFF;
        g.Rax = 0xFF8;
    }

    private static void NoTss(TestGuest g)
    {
        g.SetGate(6, Handler(6), ist: 1);
        g.Map(TestGuest.Tss, TestGuest.Tss, 0);
        g.Processor.FlushTranslations();
    }

    private static void FarPortMap(TestGuest g)
    {
        g.Write(TestGuest.Tss + 102, BitConverter.GetBytes((ushort)0xF000));
        g.Map(TestGuest.Tss + 0xF000, 0, 0);
        g.Processor.FlushTranslations();
        g.State->Tr.Limit = 0xFFFFF;
        g.Rdx = 0;
    }

    private static void DoubleFault(TestGuest g)
    {
        g.SetGate(13, 0, present: false);
        g.SetGate(8, Handler(8), ist: 1);
        g.Rbx = NotCanonical;
    }

    private static void WithoutUnit(TestGuest g)
    {
        g.State->Cr0 |= Cr0.TS;
        g.Processor.UpdateMode();
    }

    private static void BadStack(TestGuest g, ulong stack)
    {
        g.SetGate(6, Handler(6), ist: 2);
        g.Write(TestGuest.Tss + 44, stack);
    }

    private static void External(TestGuest g, int vector)
    {
        g.Bus.At(g.Processor.Now + 1, vector);
        g.Flags |= Rflags.IF;
    }

    private static void Breakpoint(TestGuest g, int number, ulong address, ulong control)
    {
        g.State->Dr[number] = address;
        g.State->Dr[7] = control;
    }

    private static void Detect(TestGuest g)
    {
        g.State->Dr[6] = 0xFFFF4FF5;
        g.State->Dr[7] = 0x2400;
    }

    private static void Syscalls(TestGuest g)
    {
        g.State->Star = 0x0023_0008_0000_0000;
        g.State->Lstar = TestGuest.Handlers;
        g.State->Cstar = TestGuest.Handlers + 0x10;
        g.State->Sfmask = Rflags.IF | Rflags.DF | Rflags.ZF;
    }

    private static void Sysret(TestGuest g, ulong flags)
    {
        Syscalls(g);
        g.Rcx = 0x7FFF_0020_0000;
        g.State->R[11] = flags;
    }

    /// <summary>Puts words on the stack, the first at its top.</summary>
    private static void Push(TestGuest g, int size, params ulong[] words)
    {
        for (int i = words.Length - 1; i >= 0; i--)
        {
            g.Rsp -= (ulong)size;
            g.Write(g.Rsp, BitConverter.GetBytes(words[i]).AsSpan(0, size));
        }
    }

    private static void Frame(TestGuest g, int size, params ulong[] words)
    {
        Push(g, size, words);
        g.Flags = Rflags.ZF | 2;
    }

    private static void Frame32(TestGuest g)
    {
        User32(g, Rflags.IF | 2);
        Push(g, 4, 0x2000, TestGuest.UserCs32, Rflags.IOPL | Rflags.CF | Rflags.AC | Rflags.ID);
    }

    private static void DropSegments(TestGuest g)
    {
        // DS stays as user mode may have it; ES is the kernel's, FS conforming code, GS null with a base.
        g.State->Segments.Ds = new Segment { Selector = TestGuest.UserDs, Limit = uint.MaxValue, Attributes = 0xC0F3 };
        g.State->Segments.Fs = new Segment { Selector = TestGuest.Spare, Limit = uint.MaxValue, Attributes = 0xA09F };
        g.State->Segments.Gs = new Segment { Base = 0x123456 };
        Frame(g, 8, TestGuest.UserCode, TestGuest.UserCs, 2, TestGuest.UserStack, TestGuest.UserDs);
    }

    private static void Pointer(TestGuest g, ushort selector, int attributes)
    {
        g.SetDescriptor(selector, TestGuest.Descriptor(attributes));
        g.Write(TestGuest.Data, BitConverter.GetBytes((uint)TestGuest.Code + 0x40));
        g.Write(TestGuest.Data + 4, BitConverter.GetBytes(selector));
    }

    private static void Descriptor(TestGuest g, int attributes, uint start = 0, uint limit = 0xFFFFF)
    {
        g.SetDescriptor(TestGuest.Spare, TestGuest.Descriptor(attributes, start, limit));
        g.Rax = TestGuest.Spare;
    }

    private static void SystemDescriptor(TestGuest g, int attributes, uint start, uint limit)
    {
        g.SetDescriptor(TestGuest.Spare, TestGuest.Descriptor(attributes, start, limit), 0xFFFF_8000UL);
        g.Rax = TestGuest.Spare;
    }

    private static void TableOperand(TestGuest g)
    {
        g.Write(TestGuest.Data, BitConverter.GetBytes((ushort)0x1234));
        g.Write(TestGuest.Data + 2, 0xFFFF_8000_0012_3000);
    }

    private static void Popf16(TestGuest g)
    {
        Push(g, 2, 0xFFFF);
        g.Flags = Rflags.ID | Rflags.AC | 2;
    }

    private static void Bases(TestGuest g, ulong value)
    {
        g.SetCr4(Cr4.FSGSBASE);
        g.Rax = value;
    }
}
