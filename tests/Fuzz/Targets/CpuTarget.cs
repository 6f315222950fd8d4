using System.Buffers.Binary;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using KprobeTrace.Cpu.State;
using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Loaders;
using KprobeTrace.Machine;
using KprobeTrace.Memory;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Random code in a random state, run four ways that must come to the same end.</summary>
/// <remarks>
/// An input is a mode (0 for 64, 1 for 32, 2 for 16 bits), flags, eight bytes that decide registers, memory and page tables, and code.
/// The ways: in one go; in slices, as with a display; with breakpoints that change nothing; and the first once more.
/// </remarks>
internal sealed unsafe class CpuTarget : IFuzzTarget
{
    private const int HeaderBytes = 10;
    private const ulong Memory = 2 << 20;
    private const ulong Code = 0x100000;
    private const ulong Data = 0x140000;
    private const ulong Stack = 0x17F000;
    private const ulong Gdt = 0x1000;
    private const ulong Tss = 0x2000;
    private const ulong Idt = 0x3000;
    private const ulong Handlers = 0x8000;
    private const ulong Pages = 0x40000;
    private const long Limit = 3_000;
    private static readonly TimeSpan _patience = TimeSpan.FromMilliseconds(400);

    private readonly GuardedMemory _memory = new(Memory);

    [Flags]
    private enum Options : byte
    {
        Handlers = 1,
        User = 2,
        Holes = 4,
        AlignmentChecks = 8,
        TrapFlag = 16,
        DebugRegisters = 32,
    }

    public string Name => "cpu";

    public string Summary => "random code in random states between guard pages, in one go, in slices, under breakpoints: the same end";

    public byte[] Generate(FuzzRandom random)
    {
        int mode = random.Pick(0, 0, 0, 0, 1, 2);
        byte[] head = random.Bytes(HeaderBytes);
        head[0] = (byte)mode;
        head[1] = (byte)((random.OneIn(4) ? 0 : 1) | (random.OneIn(3) ? 2 : 0) | (random.OneIn(2) ? 4 : 0) | (random.OneIn(8) ? 8 : 0) | (random.OneIn(16) ? 16 : 0) | (random.OneIn(16) ? 32 : 0));
        return [.. head, .. CodeGenerator.Generate(random, mode switch { 0 => 64, 1 => 32, _ => 16 })];
    }

    public void Run(byte[] input)
    {
        if (input.Length <= HeaderBytes || input.Length > HeaderBytes + 0x8000)
        {
            return;
        }

        ulong seed = BinaryPrimitives.ReadUInt64LittleEndian(input.AsSpan(2));
        FuzzRandom slices = new(seed ^ 1);
        string? first = Go(input, null, () => Limit);
        if (first is null)
        {
            return;
        }

        string? sliced = Go(input, null, () => slices.Next(1, slices.OneIn(3) ? 4 : 400));
        string? probed = Go(input, new EveryStep(seed, (seed & 7) + 1), () => Limit);
        string? again = Go(input, null, () => Limit);
        Compare(first, again, "the second time");
        Compare(first, sliced, "in slices");
        Compare(first, probed, "under breakpoints");
    }

    private static void Compare(string first, string? other, string how) => InvariantException.Require(
        other is null || first == other, $"another end {how}:\n{first}\n{other}");

    /// <summary>Runs once and describes the end; null when the guest had to be stopped because nothing retires.</summary>
    private string? Go(byte[] input, EveryStep? breakpoints, Func<long> slice)
    {
        EntryMode mode = input[0] switch { 1 => EntryMode.Protected32, 2 => EntryMode.Real16, _ => EntryMode.Long64 };
        ulong at = mode == EntryMode.Real16 ? 0x10000 : Code;
        LoadedImage image = ImageLoader.Load("fuzz", input.AsMemory(HeaderBytes), new ImageLoadOptions
        {
            ForceFlat = true,
            LoadAddress = at,
            Mode = mode,
            MemorySize = Memory,
        });
        StringBuilder console = new();
        PhysicalMemory memory = _memory.Fresh();
        using GuestMachine machine = MachineBuilder.Build(image, b => console.Append(console.Length < 1000 ? b : ""), memory, processorCount: 1);
        Prepare(machine, mode, (Options)input[1], new FuzzRandom(BinaryPrimitives.ReadUInt64LittleEndian(input.AsSpan(2))));
        if (breakpoints is not null)
        {
            machine.Processors.FetchOverlay = breakpoints;
            machine.Processors.BreakpointHandler = breakpoints;
        }

        bool stopped = false;
        using Timer patience = new(_ => { stopped = true; machine.Stop(); }, null, _patience, Timeout.InfiniteTimeSpan);
        PowerState state = PowerState.Stopped;
        while (state == PowerState.Stopped && machine.Retired < Limit && !Volatile.Read(ref stopped))
        {
            long before = machine.Retired;
            long until = Math.Min(Limit, before + slice());
            state = machine.Run(until);
            InvariantException.Require(machine.Retired >= before, "the count of retired instructions went back");
            InvariantException.Require(machine.Retired <= until, $"{machine.Retired} instructions retired, {until} were allowed");
            InvariantException.Require(
                state != PowerState.Stopped || machine.Retired == until || Volatile.Read(ref stopped), $"a run that nobody stopped ended at {machine.Retired} of {until}");
        }

        _memory.RequirePadding();
        return Volatile.Read(ref stopped) ? null : Describe(machine, state, console);
    }

    private static string Describe(GuestMachine machine, PowerState state, StringBuilder console)
    {
        CpuState* s = machine.Processors.Bootstrap.State;
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"{state} {machine.ExitValue} retired {machine.Retired} now {machine.Now} rip {s->Rip:x} flags {LazyFlags.Get(s):x} cpl {s->Cpl} halted {s->Halted} shadow {s->InterruptShadow}");
        text.Append(CultureInfo.InvariantCulture, $" cr {s->Cr0:x} {s->Cr2:x} {s->Cr3:x} {s->Cr4:x} efer {s->Efer:x} dr6 {s->Dr[6]:x} dr7 {s->Dr[7]:x} mxcsr {s->Mxcsr:x} fpu {s->FpuControl:x} {s->FpuStatus:x} {s->FpuTop} {s->FpuTags:x} regs");
        for (int i = 0; i < 16; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $" {s->R[i]:x}");
        }

        for (int i = 0; i < 6; i++)
        {
            Segment segment = s->Segments[i];
            text.Append(CultureInfo.InvariantCulture, $" {segment.Selector:x}:{segment.Base:x}:{segment.Limit:x}:{segment.Attributes:x}");
        }

        ulong lanes = XxHash3.HashToUInt64(new ReadOnlySpan<byte>(s->XmmRegisters, 256)) ^ XxHash3.HashToUInt64(new ReadOnlySpan<byte>(s->FpuRegisters, 128));
        ulong ram = XxHash3.HashToUInt64(new ReadOnlySpan<byte>(machine.Memory.Base, (int)machine.Memory.Size));
        return text.Append(CultureInfo.InvariantCulture, $" lanes {lanes:x} ram {ram:x} console {console.Length}").ToString();
    }

    private static void Prepare(GuestMachine machine, EntryMode mode, Options options, FuzzRandom random)
    {
        CpuState* s = machine.Processors.Bootstrap.State;
        byte* ram = machine.Memory.Base;
        random.Fill(new Span<byte>(ram + Data, 0x4000));
        if (mode == EntryMode.Long64)
        {
            LongMode(s, ram, options, random);
        }

        for (int i = 0; i < 16; i++)
        {
            s->R[i] = random.Next(8) switch
            {
                0 => random.Corner(),
                1 => (ulong)random.Next(64),
                2 => Code + (ulong)random.Next(64),
                3 => Memory - (ulong)random.Next(40),
                4 => Data + (ulong)random.Next(0x100) - 0x80,
                5 => Data + (ulong)(random.Next(64) * 0x1000) - (ulong)random.Next(20),
                _ => Data + (ulong)(random.Next(0x800) * 8),
            };
        }

        s->R[1] = random.OneIn(16) ? s->R[1] : (ulong)random.Next(200);
        s->R[4] = random.OneIn(16) ? s->R[4] : mode == EntryMode.Real16 ? 0x7000UL : Stack + (ulong)(random.Next(64) * 8);
        random.Fill(new Span<byte>(s->XmmRegisters, 256));
        for (int i = 0; i < 8; i++)
        {
            s->FpuRegisters[2 * i] = random.Corner();
            s->FpuRegisters[(2 * i) + 1] = random.Next64() & 0xFFFF;
        }

        s->FpuTags = random.NextByte();
        s->FpuTop = random.Next(8);
        s->FpuControl = (ushort)(random.OneIn(4) ? (random.Next64() & 0x1F3F) | 0x40 : 0x37F);
        s->Mxcsr = random.OneIn(4) ? (uint)random.Next64() & 0xFFBF : 0x1F80;
        LazyFlags.Set(s, (random.Next64() & (Rflags.IF | 0x400 | 0x8D5)) | 2
            | ((options & Options.TrapFlag) != 0 ? Rflags.TF : 0ul) | ((options & Options.AlignmentChecks) != 0 ? Rflags.AC : 0ul));
        if ((options & Options.DebugRegisters) != 0)
        {
            s->Dr[0] = Code + (ulong)random.Next(32);
            s->Dr[1] = Data + (ulong)random.Next(64);
            s->Dr[7] = 0x400 | (random.Next64() & 0xFFFF_00FF);
        }

        machine.Processors.Bootstrap.FlushTranslations();
        machine.Processors.Bootstrap.UpdateMode();
    }

    private static void LongMode(CpuState* s, byte* ram, Options options, FuzzRandom random)
    {
        // 4 KiB pages, one to one but for some holes, read-only pages and pages elsewhere or nowhere.
        Word(ram, Pages, (Pages + 0x1000) | 7);
        Word(ram, Pages + 0x1000, (Pages + 0x2000) | 7);
        Word(ram, Pages + 0x2000, (Pages + 0x3000) | 7);
        for (ulong page = 0; page < 512; page++)
        {
            ulong entry = (page << 12) | 7;
            bool needed = page is 1 or 2 or 3 or (>= 8 and < 10) or (Code >> 12) || page == Stack >> 12 || page == (Stack >> 12) - 1;
            if ((options & Options.Holes) != 0 && !needed && random.OneIn(6))
            {
                entry = random.Next(7) switch
                {
                    0 => 0,
                    1 => entry & ~2UL,
                    2 => entry & ~4UL,
                    3 => entry | (1UL << 63),
                    4 => Memory | 7,
                    5 => 0xFEE0_0000 | 7,
                    _ => ((ulong)random.Next(512) << 12) | 7,
                };
            }

            Word(ram, Pages + 0x3000 + (page * 8), entry);
        }

        Descriptors(s, ram);
        bool user = (options & Options.User) != 0;
        s->Cr0 = Cr0.PG | Cr0.PE | Cr0.WP | Cr0.NE | Cr0.ET | ((options & Options.AlignmentChecks) != 0 ? Cr0.AM : 0);
        s->Cr3 = Pages;
        s->Cr4 = Cr4.PAE | Cr4.PGE | Cr4.OSFXSR | (random.OneIn(8) ? Cr4.SMEP : 0) | (random.OneIn(8) ? Cr4.SMAP : 0);
        s->Efer = Efer.LME | Efer.LMA | Efer.NXE | Efer.SCE;
        s->Star = 0x0018_0008UL << 32;
        s->Lstar = Code;
        s->Tr = new Segment { Base = Tss, Limit = 0x67, Selector = 0x30, Attributes = 0x8B };
        s->Cpl = user ? 3 : 0;
        ushort privilege = (ushort)(user ? 0x60 : 0);
        s->Segments.Cs = new Segment { Selector = (ushort)(user ? 0x2B : 0x08), Limit = uint.MaxValue, Attributes = (ushort)(0xA09B | privilege) };
        Segment data = new() { Selector = (ushort)(user ? 0x23 : 0x10), Limit = uint.MaxValue, Attributes = (ushort)(0xC093 | privilege) };
        s->Segments[0] = s->Segments[2] = s->Segments[3] = s->Segments[4] = s->Segments[5] = data;
        s->IdtBase = Idt;
        s->IdtLimit = (options & Options.Handlers) != 0 ? 0xFFFu : 0;
    }

    /// <summary>Segments, a task state, and gates whose handlers go on one byte behind a fault.</summary>
    private static void Descriptors(CpuState* s, byte* ram)
    {
        s->GdtBase = Gdt;
        s->GdtLimit = 0xFF;
        Word(ram, Gdt + 0x08, 0x00AF_9B00_0000_FFFF);
        Word(ram, Gdt + 0x10, 0x00CF_9300_0000_FFFF);
        Word(ram, Gdt + 0x18, 0x00CF_FB00_0000_FFFF);
        Word(ram, Gdt + 0x20, 0x00CF_F300_0000_FFFF);
        Word(ram, Gdt + 0x28, 0x00AF_FB00_0000_FFFF);
        Word(ram, Gdt + 0x30, 0x0000_8900_0000_0067 | (Tss << 16));
        Word(ram, Gdt + 0x40, 0x00CF_9B00_0000_FFFF);
        Word(ram, Tss + 4, Stack - 0x200);
        ReadOnlySpan<byte> plain = [0x48, 0x83, 0x04, 0x24, 0x01, 0x48, 0xCF];
        ReadOnlySpan<byte> withError = [0x48, 0x83, 0xC4, 0x08, 0x48, 0x83, 0x04, 0x24, 0x01, 0x48, 0xCF];
        for (ulong vector = 0; vector < 256; vector++)
        {
            ulong handler = Handlers + (vector * 16);
            ReadOnlySpan<byte> code = vector is 8 or (>= 10 and <= 14) or 17 ? withError : plain;
            code.CopyTo(new Span<byte>(ram + handler, 16));
            Word(ram, Idt + (vector * 16), (handler & 0xFFFF) | 0x08_0000 | (0xEE00UL << 32) | ((handler >> 16) << 48));
            Word(ram, Idt + (vector * 16) + 8, 0);
        }
    }

    private static void Word(byte* ram, ulong at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(new Span<byte>(ram + at, 8), value);
}
