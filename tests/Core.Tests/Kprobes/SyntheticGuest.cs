using System.Buffers.Binary;
using KprobeTrace.Cpu;
using KprobeTrace.Cpu.Binding;
using KprobeTrace.Cpu.State;
using KprobeTrace.Kprobes;
using KprobeTrace.Loaders;
using KprobeTrace.Memory;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>
/// A kernel of a few hand-assembled functions on a real processor: long mode, paging, an IDT whose handlers count, one
/// user page. Physical memory is linked at 2 GiB below the top; modules lie at <see cref="ModuleBase"/>.
/// </summary>
internal sealed unsafe partial class SyntheticGuest : IDisposable
{
    public const ulong LinkBase = 0xffff_ffff_8000_0000;
    public const ulong TextBase = 0xffff_ffff_8100_0000;
    public const ulong InitBase = 0xffff_ffff_8108_0000;
    public const ulong DataBase = 0xffff_ffff_8120_0000;
    public const ulong StackTop = 0xffff_ffff_8140_4000;
    public const ulong ModuleBase = 0xffff_ffff_a000_0000;
    public const ulong ModuleInitBase = 0xffff_ffff_a001_0000;

    /// <summary>Where <see cref="MapModuleTwice"/> maps the module's pages once more.</summary>
    public const ulong ModuleAlias = ModuleBase + 0x20_0000;
    public const ulong UserBase = 0x40_0000;
    public const ushort KernelCode = 0x10;
    public const ushort KernelData = 0x18;
    public const ushort UserData = 0x2b;
    public const ushort UserCode = 0x33;

    /// <summary>Where the page tables of the kernel begin.</summary>
    public const ulong KernelTables = 0x1000;

    private const ulong MemorySize = 32 << 20;
    private const long CallLimit = 200_000;
    private readonly SyntheticBus _bus = new();
    private ulong _nextText = TextBase;

    public SyntheticGuest()
    {
        Memory = new PhysicalMemory(MemorySize);
        Processor = Interpreter.Create(Memory, _bus).Bootstrap;
        _bus.Processor = Processor;
        Text = new SyntheticText();
        MapMemory();
        WriteTables();
        EnterLongMode();
        Image = ImageOf(LinkBase + 0x100_0000, 0x100_0000, 0x70_0000);
        Context = new SyntheticContext(this);
        View = new FetchView(Processor.Group, Image, (address, out physical) => Processor.TryPeek(address, KernelTables, out physical));
        Kprobes = Probe(View);
        DefineFixture();
    }

    public PhysicalMemory Memory { get; }

    public Processor Processor { get; }

    public SyntheticText Text { get; }

    public SyntheticContext Context { get; }

    public LoadedImage Image { get; }

    public FetchView View { get; }

    public KprobeSubsystem Kprobes { get; private set; }

    public List<TextPoke> Pokes { get; } = [];

    public CpuState* State => Processor.State;

    public ulong this[string name] => Text.AddressOf(name);

    /// <summary>The byte instruction fetch sees at an address: an int3 where a probe is armed.</summary>
    public byte FetchByte(ulong address)
    {
        Assert(Processor.TryPeek(address, State->Cr3, out ulong physical));
        return View.Find(physical, address) >= 0 ? (byte)0xCC : ReadBytes(address, 1)[0];
    }

    /// <summary>Places a function in text and gives it a symbol.</summary>
    public ulong Define(string name, params byte[] bytes)
    {
        ulong address = _nextText;
        _nextText = (address + (ulong)bytes.Length + 15) & ~15UL;
        DefineAt(name, address, bytes);
        return address;
    }

    public void DefineAt(string name, ulong address, params byte[] bytes)
    {
        Write(address, bytes);
        Text.Add(name, address, (ulong)bytes.Length);
        for (int i = 0; i < bytes.Length; i++)
        {
            Text.Originals[address + (ulong)i] = bytes[i];
        }
    }

    public void Write(ulong address, params byte[] bytes)
    {
        Assert(Processor.TryPeek(address, State->Cr3, out ulong physical));
        Assert(Processor.Group.TryWriteRam(physical, bytes));
    }

    public void WriteWord(ulong address, ulong value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Write(address, bytes);
    }

    public byte[] ReadBytes(ulong address, int count)
    {
        byte[] bytes = new byte[count];
        Assert(Context.TryReadKernel(address, bytes));
        return bytes;
    }

    public ulong ReadWord(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(ReadBytes(address, 8));

    /// <summary>Calls a function in kernel mode and returns what it leaves in RAX.</summary>
    public ulong Call(string name, params ulong[] arguments) => Call(this[name], arguments);

    public ulong Call(ulong address, params ulong[] arguments)
    {
        Prepare(arguments);
        State->R[11] = address;
        State->Rip = this["callr11"];
        Run();
        return State->R[0];
    }

    /// <summary>Runs until the guest halts in <c>callr11</c>.</summary>
    public void Run()
    {
        RunToHalt();
        Assert(State->Rip == this["callr11"] + 4, $"the guest did not come back: rip {State->Rip:x}");
    }

    /// <summary>Runs until the guest halts for good, wherever that is.</summary>
    public void RunToHalt()
    {
        State->Halted = 0;
        Processor.Run(Processor.Retired + CallLimit);
        Assert(State->Halted != 0, $"the guest did not halt: rip {State->Rip:x}");
    }

    /// <summary>Raises the interrupt input when so many nanoseconds of virtual time have passed.</summary>
    public void RaiseInterruptIn(long nanoseconds) => _bus.NextEvent = Processor.Now + nanoseconds;

    /// <summary>Raises the interrupt input; the guest's handler counts it.</summary>
    public void RaiseInterrupt() => Processor.SetInterruptLine(true);

    public void SetRip(ulong rip) => State->Rip = rip;

    /// <summary>Pushes a return address, some bytes further down the stack than calls do.</summary>
    public void PushReturn(ulong address, ulong depth)
    {
        State->R[4] -= depth + 8;
        WriteWord(State->R[4], address);
    }

    public void SetFlags(ulong flags) => LazyFlags.Set(State, flags | Rflags.Fixed);

    public ulong Flags => LazyFlags.Get(State);

    public ulong Counter(int vector) => ReadWord(DataBase + ((ulong)vector * 16));

    public ulong LastIp(int vector) => ReadWord(DataBase + ((ulong)vector * 16) + 8);

    /// <summary>Sets registers and flags for a call on an empty stack.</summary>
    public void Prepare(params ulong[] arguments)
    {
        int[] registers = [7, 6, 2, 1, 8, 9];
        for (int i = 0; i < 16; i++)
        {
            State->R[i] = 0;
        }

        for (int i = 0; i < arguments.Length && i < registers.Length; i++)
        {
            State->R[registers[i]] = arguments[i];
        }

        State->R[4] = StackTop - 64;
    }

    /// <summary>Acts while CR3 holds tables that map all of the kernel but its modules, as a kernel has them for user mode.</summary>
    public void WithoutModules(Action action)
    {
        const ulong tables = 0xA000;
        const ulong high = 0xB000;
        const ulong directory = 0xC000;
        const ulong present = 3;
        Physical(tables + (511 * 8), high | present);
        Physical(high + (510 * 8), directory | present);
        for (ulong i = 0; i < 16; i++)
        {
            Physical(directory + (i * 8), (i << 21) | 0x80 | present);
        }

        State->Cr3 = tables;
        Processor.FlushTranslations();
        action();
        State->Cr3 = KernelTables;
        Processor.FlushTranslations();
    }

    /// <summary>Maps the physical pages of the module at a second address.</summary>
    public void MapModuleTwice()
    {
        Physical(0x3000 + (257 * 8), 0x180_0000 | 0x83);
        Processor.FlushTranslations();
    }

    /// <summary>Begins anew with kprobes on another image, of which no page table is known yet.</summary>
    public void UseUnmappedImage(ulong link, ulong physical, ulong length) =>
        Kprobes = Probe(new FetchView(Processor.Group, ImageOf(link, physical, length), static (ulong _, out ulong found) =>
        {
            found = 0;
            return false;
        }));

    /// <summary>Begins anew with kprobes that know no tables but those in CR3.</summary>
    public void ForgetKernelTables() => Kprobes = Probe(new FetchView(Processor.Group, Image));

    public void Dispose()
    {
        Processor.Group.Dispose();
        Memory.Dispose();
    }

    private static LoadedImage ImageOf(ulong link, ulong physical, ulong length) =>
        new([new LinkRange(link, physical, length, ReadOnlyMemory<byte>.Empty, true)])
        {
            Kind = ImageKind.Elf,
            BaseName = "synthetic",
            Sha256 = "",
            Segments = [],
            Cpu = null!,
            EntryPhysical = 0,
            EntryLink = 0,
            MemorySize = MemorySize,
        };

    private KprobeSubsystem Probe(FetchView view)
    {
        KprobeSubsystem kprobes = new(Context, Text, new DecoderLength(), view);
        _ = new ProcessorBreakpoints(Processor.Group, kprobes.Handler);
        kprobes.TextPoked += Pokes.Add;
        return kprobes;
    }

    private static void Assert(bool condition, string message = "guest memory is not mapped")
    {
        if (!condition)
        {
            throw new InvalidOperationException(message);
        }
    }

    private void Physical(ulong address, ulong value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Assert(Memory.TryWrite(address, bytes));
    }

    private void MapMemory()
    {
        const ulong pml4 = KernelTables;
        const ulong high = 0x2000;
        const ulong highDirectory = 0x3000;
        const ulong low = 0x4000;
        const ulong lowDirectory = 0x5000;
        const ulong userTable = 0x6000;
        const ulong present = 3;
        const ulong large = 0x80 | present;
        const ulong user = 4;
        Physical(pml4 + (511 * 8), high | present);
        Physical(pml4, low | present | user);
        Physical(high + (510 * 8), highDirectory | present);
        Physical(low, lowDirectory | present | user);
        for (ulong i = 0; i < 16; i++)
        {
            Physical(highDirectory + (i * 8), (i << 21) | large);
        }

        Physical(highDirectory + (256 * 8), 0x180_0000 | large);
        Physical(lowDirectory + (8 * 8), (8UL << 21) | large);
        Physical(lowDirectory + (2 * 8), userTable | present | user);
        Physical(userTable, 0x1A0_0000 | present | user);
        Physical(userTable + (1 * 8), 0x1A0_1000 | present | user);
    }

    /// <summary>Where the page-table entry of a user page is, so that handlers and tests may map it.</summary>
    public static ulong UserPageEntry(int page) => LinkBase + 0x6000 + ((ulong)page * 8);

    private void EnterLongMode()
    {
        CpuState* s = State;
        s->Cr0 = KprobeTrace.Cpu.State.Cr0.PE | KprobeTrace.Cpu.State.Cr0.PG | KprobeTrace.Cpu.State.Cr0.ET | KprobeTrace.Cpu.State.Cr0.NE | KprobeTrace.Cpu.State.Cr0.WP | KprobeTrace.Cpu.State.Cr0.MP;
        s->Cr3 = KernelTables;
        s->Cr4 = KprobeTrace.Cpu.State.Cr4.PAE | KprobeTrace.Cpu.State.Cr4.PGE | KprobeTrace.Cpu.State.Cr4.OSFXSR;
        s->Efer = KprobeTrace.Cpu.State.Efer.LME | KprobeTrace.Cpu.State.Efer.LMA | KprobeTrace.Cpu.State.Efer.SCE | KprobeTrace.Cpu.State.Efer.NXE;
        SetKernelSegments();
        s->GdtBase = LinkBase + 0x7000;
        s->GdtLimit = 0x7f;
        s->IdtBase = LinkBase + 0x8000;
        s->IdtLimit = 0xfff;
        s->Tr = new Segment { Base = LinkBase + 0x9000, Limit = 0x67, Selector = 0x40, Attributes = 0x8b };
        s->Halted = 0;
        Processor.FlushTranslations();
        Processor.UpdateMode();
    }

    public void SetKernelSegments()
    {
        CpuState* s = State;
        Segment data = new() { Limit = uint.MaxValue, Selector = KernelData, Attributes = 0xC093 };
        s->Segments.Cs = new Segment { Limit = uint.MaxValue, Selector = KernelCode, Attributes = 0xA09B };
        s->Segments.Ss = s->Segments.Ds = s->Segments.Es = data;
        s->Cpl = 0;
        Processor.UpdateMode();
    }

    /// <summary>Puts the processor into user mode at an address of the user page.</summary>
    public void EnterUserMode(ulong rip)
    {
        CpuState* s = State;
        Segment data = new() { Limit = uint.MaxValue, Selector = UserData, Attributes = 0xC0F3 };
        s->Segments.Cs = new Segment { Limit = uint.MaxValue, Selector = UserCode, Attributes = 0xA0FB };
        s->Segments.Ss = s->Segments.Ds = s->Segments.Es = data;
        s->Cpl = 3;
        s->R[4] = UserBase + 0x1800;
        s->Rip = rip;
        Processor.UpdateMode();
    }

    private void WriteTables()
    {
        // GDT: null, null, kernel code, kernel data, null, user data, user code, null, TSS (two slots).
        Physical(0x7010, 0x00AF_9B00_0000_FFFF);
        Physical(0x7018, 0x00CF_9300_0000_FFFF);
        Physical(0x7028, 0x00CF_F300_0000_FFFF);
        Physical(0x7030, 0x00AF_FB00_0000_FFFF);
        Physical(0x9004, StackTop + 0x4000 - 16);
        for (int vector = 0; vector < 256; vector++)
        {
            ulong handler = LinkBase + 0x10_0000 + ((ulong)vector * 64);
            bool userMay = vector is 3;
            ulong low = (handler & 0xFFFF) | ((ulong)KernelCode << 16) | ((userMay ? 0xEEUL : 0x8E) << 40)
                | (((handler >> 16) & 0xFFFF) << 48);
            Physical(0x8000 + ((ulong)vector * 16), low);
            Physical(0x8008 + ((ulong)vector * 16), handler >> 32);
        }
    }
}
