using Iced.Intel;
using KprobeTrace.Cpu;
using KprobeTrace.Cpu.Binding;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;
using Xunit;

namespace KprobeTrace.Tests.Cpu;

/// <summary>
/// A processor in long mode with page tables, descriptor tables and a handler for every vector that halts, so that a test reads
/// what was raised from the handler's stack.
/// </summary>
/// <remarks>
/// The first 4 MiB are mapped one to one in 4 KiB pages: supervisor pages but for 0x200000 to 0x2FFFFF, which are the user's.
/// </remarks>
internal sealed unsafe class TestGuest : IDisposable
{
    public const ulong Gdt = 0x8000;
    public const ulong Idt = 0x9000;
    public const ulong Tss = 0xA000;
    public const ulong Ldt = 0xC000;
    public const ulong Handlers = 0x20000;
    public const ulong KernelStack = 0x80000;
    public const ulong EntryStack = 0x90000;
    public const ulong IstStack = 0xA0000;
    public const ulong Code = 0x100000;
    public const ulong Data = 0x180000;
    public const ulong UserCode = 0x200000;
    public const ulong UserStack = 0x280000;
    public const ulong UserData = 0x290000;
    public const ulong MemorySize = 0x400000;

    public const ushort KernelCs = 0x08;
    public const ushort KernelDs = 0x10;
    public const ushort UserCs32 = 0x1B;
    public const ushort UserDs = 0x23;
    public const ushort UserCs = 0x2B;
    public const ushort TssSelector = 0x30;
    public const ushort KernelCs32 = 0x40;

    /// <summary>First free descriptor: tests put their own here.</summary>
    public const ushort Spare = 0x48;

    /// <summary>Vector whose gate user mode may use; it ends a user program.</summary>
    public const int UserEnd = 0x80;

    public const ulong PresentWrite = 3;
    public const ulong UserPage = 4;
    public const ulong GlobalPage = 0x100;
    public const ulong LargePage = 0x80;
    public const ulong NoExecute = 1UL << 63;
    public const ulong Accessed = 0x20;
    public const ulong Dirty = 0x40;

    /// <summary>Where the page tables begin; they take the rest of memory.</summary>
    public const ulong PageTables = 0x300000;

    private const ulong Cr3 = PageTables;
    private const ulong Cr0Value = KprobeTrace.Cpu.State.Cr0.PG | KprobeTrace.Cpu.State.Cr0.PE | KprobeTrace.Cpu.State.Cr0.WP | KprobeTrace.Cpu.State.Cr0.NE | KprobeTrace.Cpu.State.Cr0.ET;

    private ulong _nextTable = Cr3 + 0x1000;

    public TestGuest(int processorCount = 1)
    {
        Memory = new PhysicalMemory(MemorySize);
        ScriptedBus[] buses = [Bus, .. Enumerable.Range(1, processorCount - 1).Select(static _ => new ScriptedBus())];
        Processors = Interpreter.Create(Memory, [.. buses]);
        Processor = Processors.Bootstrap;
        for (int i = 0; i < processorCount; i++)
        {
            buses[i].Processor = Processors[i];
        }

        for (ulong page = 0; page < MemorySize; page += 0x1000)
        {
            Map(page, page, PresentWrite | (page is >= UserCode and < 0x300000 ? UserPage : 0));
        }

        BuildTables();
        CpuState* s = Processor.State;
        s->Cr0 = Cr0Value;
        s->Cr3 = Cr3;
        s->Cr4 = Cr4.PAE | Cr4.PGE | Cr4.OSFXSR;
        s->Efer = Efer.LME | Efer.LMA | Efer.NXE | Efer.SCE;
        s->GdtBase = Gdt;
        s->GdtLimit = 0xFF;
        s->IdtBase = Idt;
        s->IdtLimit = 0xFFF;
        s->Tr = new Segment { Base = Tss, Limit = 0x67, Selector = TssSelector, Attributes = 0x8B };
        s->Ldtr = default;
        s->R[2] = 0;
        EnterKernel(Code);
        byte[] state = new byte[Processor.StateBytes];
        Processor.SaveState(state);
        for (int i = 1; i < processorCount; i++)
        {
            Processors[i].LoadState(state);
        }
    }

    public ScriptedBus Bus { get; } = new();

    public PhysicalMemory Memory { get; }

    public ProcessorGroup Processors { get; }

    /// <summary>The first of them, and the only one in most tests.</summary>
    public Processor Processor { get; }

    public CpuState* State => Processor.State;

    public ref ulong Rax => ref Processor.State->R[0];

    public ref ulong Rcx => ref Processor.State->R[1];

    public ref ulong Rdx => ref Processor.State->R[2];

    public ref ulong Rbx => ref Processor.State->R[3];

    public ref ulong Rsp => ref Processor.State->R[4];

    public ref ulong Rsi => ref Processor.State->R[6];

    public ref ulong Rdi => ref Processor.State->R[7];

    public ulong Flags
    {
        get => LazyFlags.Get(State);
        set
        {
            LazyFlags.Set(State, value);
            Processor.UpdateMode();
        }
    }

    /// <summary>Puts the processor into 64-bit kernel code.</summary>
    public void EnterKernel(ulong rip)
    {
        CpuState* s = State;
        s->Segments.Cs = new Segment { Selector = KernelCs, Limit = uint.MaxValue, Attributes = 0xA09B };
        for (int i = 0; i < 6; i++)
        {
            if (i != Segment.Cs)
            {
                s->Segments[i] = new Segment { Selector = KernelDs, Limit = uint.MaxValue, Attributes = 0xC093 };
            }
        }

        s->Cpl = 0;
        s->Halted = 0;
        s->Rip = rip;
        s->R[4] = KernelStack;
        LazyFlags.Set(s, 2);
        Processor.FlushTranslations();
        Processor.UpdateMode();
    }

    /// <summary>Puts the processor into 64-bit user code.</summary>
    public void EnterUser(ulong rip = UserCode)
    {
        CpuState* s = State;
        s->Segments.Cs = new Segment { Selector = UserCs, Limit = uint.MaxValue, Attributes = 0xA0FB };
        for (int i = 0; i < 6; i++)
        {
            if (i != Segment.Cs)
            {
                s->Segments[i] = new Segment { Selector = UserDs, Limit = uint.MaxValue, Attributes = 0xC0F3 };
            }
        }

        s->Cpl = 3;
        s->Halted = 0;
        s->Rip = rip;
        s->R[4] = UserStack;
        LazyFlags.Set(s, 2);
        Processor.UpdateMode();
    }

    /// <summary>Puts the processor into 32-bit user code (compatibility mode) with the given bases.</summary>
    public void EnterUser32(ulong ip, ulong codeBase = 0, ulong dataBase = 0)
    {
        EnterUser();
        CpuState* s = State;
        s->Segments.Cs = new Segment { Selector = UserCs32, Limit = uint.MaxValue, Base = codeBase, Attributes = 0xC0FB };
        s->Segments.Ds.Base = dataBase;
        s->Rip = codeBase + ip;
        Processor.UpdateMode();
    }

    public void SetCr4(ulong bits)
    {
        State->Cr4 |= bits;
        Processor.FlushTranslations();
        Processor.UpdateMode();
    }

    /// <summary>Assembles 64-bit code at an address and returns the address after it.</summary>
    public ulong Assemble(ulong at, Action<Assembler> build) => Assemble(64, at, at, build);

    /// <summary>Assembles code of any size that believes to stand at <paramref name="ip"/>.</summary>
    public ulong Assemble(int bits, ulong at, ulong ip, Action<Assembler> build)
    {
        Assembler assembler = new(bits);
        build(assembler);
        using MemoryStream stream = new();
        assembler.Assemble(new StreamCodeWriter(stream), ip);
        Write(at, stream.ToArray());
        return at + (ulong)stream.Length;
    }

    /// <summary>Writes memory as a device would: decoded code is told.</summary>
    public void Write(ulong physical, ReadOnlySpan<byte> bytes) => Assert.True(Processor.Group.TryWriteRam(physical, bytes));

    public void Write(ulong physical, params ulong[] words)
    {
        for (int i = 0; i < words.Length; i++)
        {
            Write(physical + ((ulong)i * 8), BitConverter.GetBytes(words[i]));
        }
    }

    public ulong Read(ulong physical, int size = 8)
    {
        Span<byte> bytes = stackalloc byte[8];
        bytes.Clear();
        Assert.True(Memory.TryRead(physical, bytes[..size]));
        return BitConverter.ToUInt64(bytes);
    }

    /// <summary>Maps one page of 4 KiB, 2 MiB or 1 GiB (level 0, 1, 2); the tables above it allow everything.</summary>
    /// <returns>Physical address of the leaf entry.</returns>
    public ulong Map(ulong linear, ulong physical, ulong bits, int level = 0)
    {
        ulong entry = EntryOf(linear, level);
        Write(entry, physical | bits | (level > 0 ? LargePage : 0));
        return entry;
    }

    /// <summary>Physical address of the entry for a linear address at a level, with the tables above made if need be.</summary>
    public ulong EntryOf(ulong linear, int level)
    {
        ulong table = Cr3;
        for (int l = 3; l > level; l--)
        {
            ulong entry = table + (((linear >> (12 + (9 * l))) & 511) * 8);
            ulong value = Read(entry);
            if ((value & 1) == 0 || (value & LargePage) != 0)
            {
                value = _nextTable | PresentWrite | UserPage;
                _nextTable += 0x1000;
                Assert.True(_nextTable <= MemorySize);
                Write(entry, value);
            }

            table = value & 0x000FFFFFFFFFF000;
        }

        return table + (((linear >> (12 + (9 * level))) & 511) * 8);
    }

    /// <summary>Sets a gate: its handler, its privilege, its stack, its type.</summary>
    public void SetGate(int vector, ulong handler, int dpl = 0, int ist = 0, int type = 0xE, ushort selector = KernelCs, bool present = true)
    {
        ulong low = (handler & 0xFFFF) | ((ulong)selector << 16) | ((ulong)ist << 32) | ((ulong)type << 40)
            | ((ulong)dpl << 45) | (present ? 1UL << 47 : 0) | ((handler & 0xFFFF0000) << 32);
        Write(Idt + ((ulong)vector * 16), low, handler >> 32);
    }

    /// <summary>A descriptor of a code or data segment.</summary>
    public static ulong Descriptor(int attributes, uint start = 0, uint limit = 0xFFFFF) =>
        (limit & 0xFFFF) | ((ulong)(start & 0xFFFFFF) << 16) | ((ulong)(attributes & 0xF0FF) << 40)
        | ((ulong)(limit & 0xF0000) << 32) | ((ulong)(start & 0xFF000000) << 32);

    public void SetDescriptor(ushort selector, params ulong[] words) => Write(Gdt + (ulong)(selector & ~7), words);

    /// <summary>Runs until the guest halts; fails when it does not.</summary>
    public Caught Run(long limit = 100_000)
    {
        Processor.Run(Processor.Retired + limit);
        Assert.False(Processor.ShutDown, "the guest met a triple fault");
        Assert.True(State->Halted != 0, $"the guest did not halt: rip {State->Rip:x}");
        return ReadFrame();
    }

    /// <summary>Runs a program in kernel mode that ends with HLT or an exception.</summary>
    public Caught RunKernel(Action<Assembler> build)
    {
        Assemble(Code, a =>
        {
            build(a);
            a.hlt();
        });
        return Run();
    }

    /// <summary>Runs a program in user mode; vector <see cref="UserEnd"/> is its ordinary end.</summary>
    public Caught RunUser(Action<Assembler> build)
    {
        Assemble(UserCode, a =>
        {
            build(a);
            a.@int(UserEnd);
        });
        EnterUser();
        return Run();
    }

    public void Dispose()
    {
        Processors.Dispose();
        Memory.Dispose();
    }

    private Caught ReadFrame()
    {
        CpuState* s = State;
        ulong stub = s->Rip - 1 - Handlers;
        if (stub >= 256 * 16)
        {
            return new Caught(-1, 0, s->Rip - 1, s->Segments.Cs.Selector, LazyFlags.Get(s), s->R[4], s->Segments.Ss.Selector, s->Cr2);
        }

        int vector = (int)(stub / 16);
        ulong at = s->R[4];
        uint error = 0;
        if (Vector.HasErrorCode((byte)vector))
        {
            error = (uint)Read(at);
            at += 8;
        }

        return new Caught(vector, error, Read(at), (ushort)Read(at + 8), Read(at + 16), Read(at + 24), (ushort)Read(at + 32), s->Cr2);
    }

    private void BuildTables()
    {
        SetDescriptor(KernelCs, Descriptor(0xA09B));
        SetDescriptor(KernelDs, Descriptor(0xC093));
        SetDescriptor(UserCs32, Descriptor(0xC0FB));
        SetDescriptor(UserDs, Descriptor(0xC0F3));
        SetDescriptor(UserCs, Descriptor(0xA0FB));
        SetDescriptor(TssSelector, Descriptor(0x0089, (uint)Tss, 0x67), 0);
        SetDescriptor(KernelCs32, Descriptor(0xC09B));
        Write(Tss + 4, EntryStack);
        Write(Tss + 36, IstStack);
        Write(Tss + 102, BitConverter.GetBytes((ushort)0x68));
        for (int vector = 0; vector < 256; vector++)
        {
            Write(Handlers + ((ulong)vector * 16), [0xF4]);
            SetGate(vector, Handlers + ((ulong)vector * 16), dpl: vector is UserEnd or 3 or 4 ? 3 : 0);
        }
    }
}
