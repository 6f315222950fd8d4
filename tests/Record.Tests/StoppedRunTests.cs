using System.Diagnostics;
using System.Runtime.InteropServices;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>Guests of a few bytes that crash, halt or never end, and runs that something ends from outside.</summary>
public sealed class StoppedRunTests
{
    // nop; jmp back to it: a hit every other instruction, for ever.
    private static readonly byte[] _endless = [0x90, 0xEB, 0xFD];

    [Fact]
    public void Triple_fault_is_a_crash_with_a_complete_trace()
    {
        using Folder folder = new();
        using ToolRun run = Flat(folder, [0x90, 0x0F, 0x0B], "-q");

        Assert.Equal(3, run.Exit);
        WholeTrace trace = WholeTrace.Read(folder["trace.mpk"]);
        Assert.Equal(("triple-fault", 1ul), (trace.Footer!.Ended, trace.Footer.Instructions));
        Assert.Equal([TraceEventKind.Pre, TraceEventKind.Post], trace.Events.Select(e => e.Kind));
    }

    [Fact]
    public void Halting_for_good_is_a_normal_end()
    {
        using Folder folder = new();
        using ToolRun run = Flat(folder, [0xFA, 0xF4], "-q");

        Assert.Equal(0, run.Exit);
        WholeTrace trace = WholeTrace.Read(folder["trace.mpk"]);
        Assert.Equal(("halt", 2ul), (trace.Footer!.Ended, trace.Footer.Instructions));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 3)]
    [InlineData(255, 3)]
    public void Guest_that_exits_with_another_value_than_0_has_failed(byte value, int status)
    {
        using Folder folder = new();
        using ToolRun run = Flat(folder, [0xB0, value, 0xE6, 0xF4], "--console", "none"); // mov al, value; out 0xF4, al

        Assert.Equal(status, run.Exit);
        Assert.Contains($"the guest exited with {value} ", run.ErrorLines[^1], StringComparison.Ordinal);
        Assert.Equal(("exit", (int)value), (WholeTrace.Read(folder["trace.mpk"]).Footer!.Ended, WholeTrace.Read(folder["trace.mpk"]).Footer!.ExitCode));
    }

    [Theory]
    [InlineData("--timeout", "0.3")]
    [InlineData("--max-instructions", "1000")]
    [InlineData("--max-events", "1000")]
    public void Limit_ends_with_a_status_of_its_own_and_the_closing_line_says_which(string limit, string value)
    {
        using Folder folder = new();
        using ToolRun run = Flat(folder, _endless, limit, value);

        Assert.Equal(4, run.Exit);
        Assert.Contains($"stopped by {limit} ", run.ErrorLines[^1], StringComparison.Ordinal);
        Assert.Equal(limit[2..], TraceReader.Check(folder["trace.mpk"]).Footer!.Ended);
    }

    [Theory]
    [InlineData("--timeout", "0.01")]
    [InlineData("--max-instructions", "1000")]
    public void Counting_without_probes_ends_with_the_same_status(string limit, string value)
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "--count-only", "*", limit, value);

        Assert.Equal(4, run.Exit);
        Assert.StartsWith($"kprobe-record: stopped by {limit} after ", Assert.Single(run.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public void Time_limit_ends_an_endless_guest_in_good_order()
    {
        using Folder folder = new();
        using ToolRun run = Flat(folder, _endless, "--timeout", "0.5");

        Assert.Equal(4, run.Exit);
        Assert.Equal("timeout", TraceReader.Check(folder["trace.mpk"]).Footer!.Ended);
        Assert.Contains("stopped by --timeout", run.ErrorLines[^1], StringComparison.Ordinal);
    }

    /// <summary>mov rcx, a large number; mov rsi, 0x2000000; cld; rep lodsb.</summary>
    private static readonly byte[] _repetition =
        [0x48, 0xB9, 0x48, 0x78, 0x58, 0x49, 0x15, 0x66, 0x28, 0x4F, 0x48, 0xC7, 0xC6, 0x00, 0x00, 0x00, 0x02, 0xFC, 0xF3, 0xAC];

    [Fact]
    public void Time_limit_ends_a_repetition_that_goes_on_for_years()
    {
        using Folder folder = new();
        using ToolRun run = Flat(folder, _repetition, "--timeout", "1");

        Assert.Contains("stopped by --timeout", run.ErrorLines[^1], StringComparison.Ordinal);
        TraceFooter footer = TraceReader.Check(folder["trace.mpk"]).Footer!;
        Assert.Equal("timeout", footer.Ended);
        Assert.InRange(footer.Instructions, 0ul, 3ul);
    }

    [Fact]
    public void A_guest_that_retires_nothing_is_stuck_and_the_address_is_named()
    {
        using Folder folder = new();
        using ToolRun run = Flat(folder, StuckGuest.Code, "--max-instructions", "1000");

        Assert.Equal(3, run.Exit);
        Assert.Contains($"the guest is stuck at 0x{StuckGuest.At:x}", run.ErrorLines[^1], StringComparison.Ordinal);
        WholeTrace trace = WholeTrace.Read(folder["trace.mpk"]);
        Assert.Equal("stuck", trace.Footer!.Ended);
    }

    [Fact]
    public void Paging_outside_long_mode_is_one_line()
    {
        // mov eax, cr0; or eax, 1 << 31; mov cr0, eax; nop
        using Folder folder = new();
        using ToolRun run = Flat(folder, [0x0F, 0x20, 0xC0, 0x0D, 0, 0, 0, 0x80, 0x0F, 0x22, 0xC0, 0x90], "--mode", "32", "-q");

        Assert.Equal(1, run.Exit);
        Assert.Contains("outside long mode (CR0.PG without EFER.LME, before 0x10000b)", Assert.Single(run.ErrorLines), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(PosixSignal.SIGINT)]
    [InlineData(PosixSignal.SIGTERM)]
    [InlineData(PosixSignal.SIGHUP)]
    [InlineData(PosixSignal.SIGQUIT)]
    public void Signal_ends_the_recording_in_good_order(PosixSignal signal)
    {
        using Folder folder = new();
        using ToolRun run = Flat(folder, _endless, "-q");
        WaitForEvents(folder, run);
        run.Signal(signal);

        Assert.Equal(0, run.Exit);
        TraceCheckReport report = TraceReader.Check(folder["trace.mpk"]);
        Assert.True(report.Whole);
        Assert.True(report.Events > 0);
        Assert.Equal("interrupted", report.Footer!.Ended);
        AssertPrefix(folder);
    }

    [Fact]
    public void Hangup_that_is_ignored_from_the_start_stays_ignored()
    {
        using Folder folder = new();
        File.WriteAllBytes(folder["code"], _endless);
        using ToolRun run = ToolRun.RecordLimited(folder.Name, "trap '' HUP", "code", "--load", "0x100000", "-q", "--timeout", "3");
        WaitForEvents(folder, run);
        run.Signal(PosixSignal.SIGHUP);

        Assert.Equal(4, run.Exit);
        Assert.Equal("timeout", TraceReader.Check(folder["trace.mpk"]).Footer!.Ended);
    }

    [Fact]
    public void Killed_process_leaves_every_whole_chunk()
    {
        using Folder folder = new();
        using ToolRun run = Flat(folder, _endless, "-q");
        WaitForEvents(folder, run);
        run.Kill();

        Assert.NotEqual(0, run.Exit);
        TraceCheckReport report = TraceReader.Check(folder["trace.mpk"]);
        Assert.False(report.Whole);
        Assert.Null(report.Footer);
        Assert.True(report.Events > 0);
        AssertPrefix(folder);
    }

    [Fact]
    public void Full_disk_is_one_line_that_names_the_file_and_leaves_what_was_written()
    {
        using Folder folder = new();
        File.WriteAllBytes(folder["loop"], _endless);
        using ToolRun run = ToolRun.RecordLimited(
            folder.Name, "trap '' XFSZ; ulimit -f 64", "loop", "--load", "0x100000", "-q", "--max-instructions", "100000000", "-o", "big.mpk");

        Assert.Equal(1, run.Exit);
        string line = Assert.Single(run.ErrorLines);
        Assert.StartsWith("kprobe-record: big.mpk: cannot write the trace", line, StringComparison.Ordinal);
        TraceCheckReport report = TraceReader.Check(folder["big.mpk"]);
        Assert.Null(report.Footer);
        Assert.True(report.Events > 0);
    }

    private static ToolRun Flat(Folder folder, byte[] code, params string[] arguments)
    {
        File.WriteAllBytes(folder["code"], code);
        return ToolRun.Record(folder.Name, ["code", "--load", "0x100000", .. arguments]);
    }

    /// <summary>However long the run: its events are the first ones of the endless run, none missing.</summary>
    private static void AssertPrefix(Folder folder)
    {
        using TraceReader reader = TraceReader.Open(folder["trace.mpk"]);
        ulong seq = 0;
        while (reader.ReadChunk())
        {
            foreach (ref readonly TraceEvent e in reader.Kind == TraceChunkKind.Events ? reader.Events : default)
            {
                Assert.Equal((++seq, seq - 1), (e.Seq, e.Instructions));
            }
        }

        Assert.True(seq > 0);
    }

    private static void WaitForEvents(Folder folder, ToolRun run)
    {
        Stopwatch clock = Stopwatch.StartNew();
        FileInfo file = new(folder["trace.mpk"]);
        do
        {
            Assert.False(run.Ended, "the run ended by itself");
            Assert.True(clock.Elapsed < TimeSpan.FromMinutes(2), "no events reached the file");
            Thread.Sleep(20);
            file.Refresh();
        }
        while (!file.Exists || file.Length < 4096);
    }
}
