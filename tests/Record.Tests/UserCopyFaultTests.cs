using System.Globalization;
using Iced.Intel;
using KprobeTrace.Guest;
using KprobeTrace.Loaders;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Tracing;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Record;

/// <summary>
/// Probes on every instruction of a stock kernel that may fault and be fixed up, while a program hands the kernel memory that is
/// not there yet, and memory that never will be.
/// </summary>
public sealed class UserCopyFaultTests(UserCopyFaultTests.Boots boots) : IClassFixture<UserCopyFaultTests.Boots>
{
    private const ulong WrittenByUname = UserProgram.Untouched + 0x1000;
    private const ulong PathOfOpen = UserProgram.Untouched + 0x3000;
    private const ulong NeverMapped = 0x7000_0000;
    private const uint Write = 2;
    private const int PageFault = 14;
    private const int GeneralProtection = 13;

    /// <summary>The selector of the first segment in the local descriptor table, for user mode.</summary>
    private const uint LocalSegment = 7;

    [StockGuestFact]
    public void Copy_to_memory_not_there_yet_faults_once_and_then_completes()
    {
        List<TraceEvent> story = Story(WrittenByUname);

        Assert.Equal([TraceEventKind.Pre, TraceEventKind.Fault, TraceEventKind.Pre, TraceEventKind.Post], story.Select(e => e.Kind));
        Assert.Single(Faults(WrittenByUname));
        AssertFault(story[1], Write, WrittenByUname);
        Assert.Equal(WrittenByUname, story[0].Registers.Di);
        Assert.Equal(story[0].Registers.Di, story[2].Registers.Di);
        Assert.True(story[2].Instructions > story[1].Instructions + 100, "the kernel's page fault handler ran in between");
    }

    [StockGuestFact]
    public void Copy_from_memory_not_there_yet_faults_once_and_then_completes()
    {
        List<TraceEvent> story = Story(PathOfOpen);

        Assert.Equal([TraceEventKind.Pre, TraceEventKind.Fault, TraceEventKind.Pre, TraceEventKind.Post], story.Select(e => e.Kind));
        Assert.Single(Faults(PathOfOpen));
        AssertFault(story[1], 0, PathOfOpen);
    }

    [StockGuestFact]
    public void Copy_to_memory_that_is_never_there_is_fixed_up_by_the_kernel()
    {
        Assert.Equal([TraceEventKind.Pre, TraceEventKind.Fault], Story(NeverMapped).Select(e => e.Kind));

        // The fix-up of the copy by eight bytes tries again byte by byte, and that instruction's fix-up gives up.
        List<TraceEvent> faults = Faults(NeverMapped);
        Assert.Equal(2, faults.DistinctBy(f => f.Address).Count());
        Assert.All(faults, fault => AssertFault(fault, Write, NeverMapped));
        Assert.Contains("EFAULT", boots.Probed.Console, StringComparison.Ordinal);
    }

    [StockGuestFact]
    public void Load_of_a_segment_that_is_gone_faults_with_its_selector_and_loads_null_instead()
    {
        TraceEvent[] faults = [.. boots.Trace.Events.Where(e => e.Kind == TraceEventKind.Fault && e.Vector == GeneralProtection)];

        Assert.NotEmpty(faults);
        Assert.All(faults, f => Assert.Equal((LocalSegment & ~3u, "mov"), (f.ErrorCode, boots.InstructionAt(f.Address))));
        IEnumerable<TraceEventKind> here = boots.Trace.Events.SkipWhile(e => e.Seq < faults[0].Seq).Where(e => e.Address == faults[0].Address).Select(e => e.Kind);
        Assert.Equal([TraceEventKind.Fault, TraceEventKind.Pre, TraceEventKind.Post], here.Take(3));
    }

    [StockGuestFact]
    public void Every_model_specific_register_that_the_kernel_reads_is_there()
    {
        TraceEvent[] reads = [.. boots.Trace.Events.Where(e => boots.InstructionAt(e.Address) == "rdmsr")];

        Assert.NotEmpty(reads);
        Assert.All(reads, e => Assert.NotEqual(TraceEventKind.Fault, e.Kind));
    }

    [StockGuestFact]
    public void Every_hit_ends_in_a_post_or_a_fault()
    {
        ILookup<TraceEventKind, TraceEvent> kinds = boots.Trace.Events.ToLookup(e => e.Kind);

        Assert.True(kinds[TraceEventKind.Fault].Count() >= 5);
        Assert.Equal(kinds[TraceEventKind.Pre].Count(), kinds[TraceEventKind.Post].Count() + kinds[TraceEventKind.Fault].Count());
    }

    [StockGuestFact]
    public void Guest_does_not_notice()
    {
        Assert.Equal(boots.Plain.Console, boots.Probed.Console);
        Assert.Equal(WholeTrace.Read(boots.PlainTrace).Footer!.Instructions, boots.Trace.Footer!.Instructions);
    }

    private static void AssertFault(TraceEvent fault, uint errorCode, ulong address) =>
        Assert.Equal((PageFault, errorCode, address), (fault.Vector, fault.ErrorCode, fault.Cr2));

    private List<TraceEvent> Faults(ulong address) =>
        [.. boots.Trace.Events.Where(e => e.Kind == TraceEventKind.Fault && e.Vector == PageFault && e.Cr2 == address)];

    /// <summary>What happened at the first instruction that faulted at a user address: the events from the hit that faulted to the next
    /// hit's end, or to the fault when there is no next hit.</summary>
    private List<TraceEvent> Story(ulong address)
    {
        IReadOnlyList<TraceEvent> events = boots.Trace.Events;
        TraceEvent fault = Faults(address)[0];
        List<TraceEvent> here = [.. events.Where(e => e.Address == fault.Address && e.Pid == fault.Pid)];
        int at = here.FindIndex(e => e.Seq == fault.Seq);
        List<TraceEvent> story = [here[at - 1], here[at]];
        if (at + 1 < here.Count && here[at + 1].Registers.Di == fault.Registers.Di && here[at + 1].Registers.Sp == fault.Registers.Sp)
        {
            story.AddRange(here.Skip(at + 1).Take(2));
        }

        return story;
    }

    /// <summary>Hands the kernel an untouched page to write to, an untouched page to read a path from, and an address where
    /// nothing is; says so when the last gave -EFAULT; takes away a segment that DS holds; powers off.</summary>
    private static void Program(Assembler code)
    {
        Label segment = code.CreateLabel();
        Label noSegment = code.CreateLabel();
        Label message = code.CreateLabel();
        Label end = code.CreateLabel();
        code.mov(edi, (uint)WrittenByUname);
        code.SystemCall(63); // uname
        code.mov(edi, (uint)PathOfOpen);
        code.xor(esi, esi);
        code.SystemCall(2); // open
        code.mov(edi, (uint)NeverMapped);
        code.SystemCall(63);
        code.cmp(rax, -14);
        code.jne(end);
        code.mov(edi, 1);
        code.lea(rsi, __[message]);
        code.mov(edx, 7);
        code.SystemCall(1); // write
        code.Label(ref end);
        ModifyLdt(code, segment);
        code.mov(eax, LocalSegment);
        code.mov(ds, eax);
        ModifyLdt(code, noSegment);
        code.PowerOff();
        code.Label(ref segment);
        code.dd(0u, 0u, 0xf_ffffu, 0x51u); // entry 0, base, limit in pages, 32-bit data
        code.Label(ref noSegment);
        code.dd(0u, 0u, 0u, 0x28u);
        code.Label(ref message);
        code.db("EFAULT\n"u8.ToArray());
    }

    /// <summary>modify_ldt(2): writes one descriptor.</summary>
    private static void ModifyLdt(Assembler code, Label descriptor)
    {
        code.mov(edi, 0x11);
        code.lea(rsi, __[descriptor]);
        code.mov(edx, 16);
        code.SystemCall(154);
    }

    /// <summary>The program's boot with the probes, and with one that is never hit.</summary>
    public sealed class Boots : IDisposable
    {
        private readonly Folder _folder = new();
        private readonly Dictionary<ulong, string> _instructions = [];

        public Boots()
        {
            if (StockGuest.Missing is not null)
            {
                return;
            }

            string initramfs = _folder["initramfs"];
            File.WriteAllBytes(initramfs, UserProgram.Initramfs(Program));
            File.WriteAllLines(_folder["probes"], Definitions());
            PlainTrace = _folder["plain.mpk"];
            string[] command = [StockGuest.CloudKernel, "--initrd", initramfs, "--allow-blacklisted"];
            Plain = ToolRun.Record(_folder.Name, [.. command, "-p", "p:never panic", "-o", PlainTrace]);
            Probed = ToolRun.Record(_folder.Name, [.. command, "--probe-file", _folder["probes"], "-o", _folder["probed.mpk"]]);
            Assert.True(Plain.Exit == 0, Plain.Error);
            Assert.True(Probed.Exit == 0, Probed.Error);
            Trace = WholeTrace.Read(_folder["probed.mpk"]);
        }

        internal ToolRun Plain { get; } = null!;

        internal ToolRun Probed { get; } = null!;

        internal string PlainTrace { get; } = "";

        internal WholeTrace Trace { get; } = null!;

        public void Dispose()
        {
            Plain?.Dispose();
            Probed?.Dispose();
            _folder.Dispose();
        }

        internal string InstructionAt(ulong address) => _instructions[address];

        private List<string> Definitions()
        {
            RecordingOptions options = new() { Image = StockGuest.CloudKernel, Load = new ImageLoadOptions() };
            using GuestSession session = GuestSession.Open(options, _ => { });
            GuestTables tables = new(session.Image, session.Symbols, session.Types);
            byte[] bytes = new byte[15];
            foreach (ulong site in tables.ExceptionSites)
            {
                Assert.True(session.TryRead(site, bytes));
                Decoder.Create(64, bytes, site).Decode(out Instruction instruction);
                _instructions[site] = instruction.Mnemonic.ToString().ToLowerInvariant();
            }

            return [.. tables.ExceptionSites.Distinct().Select((site, i) => string.Create(CultureInfo.InvariantCulture, $"p:site{i} 0x{site:x}"))];
        }
    }
}
