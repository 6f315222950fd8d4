using KprobeTrace.Tracing;
using Xunit;
using Xunit.Abstractions;

namespace KprobeTrace.Tests.Record;

/// <summary>Return probes where a stock kernel makes them hard: tail calls, recursion, calls that never return, and entries that
/// are no calls.</summary>
public sealed class StockReturnProbeTests(StockReturnProbeTests.Boot boot, ITestOutputHelper output) : IClassFixture<StockReturnProbeTests.Boot>
{
    [StockGuestFact]
    public void Tail_call_returns_with_its_caller_at_one_instruction()
    {
        // path_put ends in a jump to mntput, which ends in a jump to mntput_no_expire: one return address for three calls.
        ILookup<ulong, TraceEvent> returns = boot.Trace.Events.Where(e => e.Kind == TraceEventKind.Return).ToLookup(e => e.Instructions);
        List<TraceEvent> outer = boot.Returns("put");

        Assert.True(outer.Count > 100);
        foreach (TraceEvent call in outer.Where(c => returns[c.Instructions].Count() > 1))
        {
            TraceEvent[] together = [.. returns[call.Instructions]];
            Assert.Equal(["mnt_last", "mnt", "put"], together.Select(e => boot.NameOf(e)));
            Assert.All(together, e => Assert.Equal(call.Caller, e.Caller));
            Assert.Equal(together.Select(e => e.EntryTimeNs).OrderDescending(), together.Select(e => e.EntryTimeNs));
        }

        Assert.Equal(boot.Entries("put").Count, outer.Count);
        Assert.Equal(boot.Entries("mnt").Count, boot.Returns("mnt").Count);
        Assert.Contains(outer, c => returns[c.Instructions].Count() == 3);
    }

    [StockGuestFact]
    public void Recursive_calls_return_innermost_first()
    {
        List<TraceEvent> returns = boot.Returns("mul");
        Stack<ulong> open = [];
        int deepest = 0;
        int next = 0;
        foreach (TraceEvent entry in boot.Entries("mul"))
        {
            CloseUntil(entry.TimeNs);
            open.Push(entry.TimeNs);
            deepest = Math.Max(deepest, open.Count);
        }

        CloseUntil(ulong.MaxValue);
        output.WriteLine($"{returns.Count} calls, {deepest} deep");
        Assert.Empty(open);
        Assert.Equal(returns.Count, next);
        Assert.True(deepest >= 3);

        void CloseUntil(ulong time)
        {
            for (; next < returns.Count && returns[next].TimeNs <= time; next++)
            {
                Assert.Equal(open.Pop(), returns[next].EntryTimeNs);
            }
        }
    }

    [StockGuestFact]
    public void Calls_whose_task_exits_inside_are_abandoned_and_counted()
    {
        int exits = boot.Entries("exit").Count;

        Assert.True(exits >= 50);
        Assert.Empty(boot.Returns("exit"));
        Assert.Empty(boot.Returns("group_exit"));
        Assert.Equal((ulong)exits, boot.NoteCount("exit", "abandoned") + boot.NoteCount("exit", "had not returned at the end"));
        Assert.True(boot.NoteCount("exit", "abandoned") >= 50);
    }

    [StockGuestTheory]
    [InlineData("syscall")]
    [InlineData("page_fault")]
    public void Entries_from_user_mode_and_exceptions_make_no_call_and_are_counted(string probe)
    {
        int entries = boot.Entries(probe).Count;

        Assert.True(entries > 1000);
        Assert.Empty(boot.Returns(probe));
        Assert.Equal((ulong)entries, boot.NoteCount(probe, "no return address"));
    }

    [StockGuestFact]
    public void Guest_boots_to_its_end() => Assert.Contains("FORKS=58\n", boot.Console, StringComparison.Ordinal);

    /// <summary>One boot of the cloud kernel, every function with a probe on its entry and one on its return.</summary>
    public sealed class Boot : IDisposable
    {
        private static readonly (string Name, string Function)[] _probed =
        [
            ("put", "path_put"), ("mnt", "mntput"), ("mnt_last", "mntput_no_expire"), ("mul", "mul_n"), ("exit", "do_exit"),
            ("group_exit", "do_group_exit"), ("syscall", "entry_SYSCALL_64"), ("page_fault", "asm_exc_page_fault"),
        ];

        private readonly Folder _folder = new();
        private readonly Dictionary<int, string> _names = [];

        public Boot()
        {
            if (StockGuest.Missing is not null)
            {
                return;
            }

            List<string> command = [StockGuest.CloudKernel, "--initrd", StockGuest.Initramfs, "--allow-blacklisted", "-o", _folder["returns.mpk"]];
            foreach ((string name, string function) in _probed)
            {
                command.AddRange(["-p", $"p:{name}_entry {function}", "-p", $"r:{name} {function} $retval"]);
            }

            using ToolRun run = ToolRun.Record(_folder.Name, [.. command]);
            Assert.True(run.Exit == 0, run.Error);
            Console = run.Console;
            Trace = WholeTrace.Read(_folder["returns.mpk"]);
            foreach (TraceProbe probe in Trace.Probes)
            {
                _names[probe.Id] = probe.Name;
            }
        }

        internal WholeTrace Trace { get; } = null!;

        internal string Console { get; } = "";

        public void Dispose() => _folder.Dispose();

        internal string NameOf(TraceEvent @event) => _names[@event.ProbeId];

        internal List<TraceEvent> Entries(string probe) => EventsOf(probe + "_entry", TraceEventKind.Pre);

        internal List<TraceEvent> Returns(string probe) => EventsOf(probe, TraceEventKind.Return);

        /// <summary>What the trace's notes on a probe count under some words; 0 without such a note.</summary>
        internal ulong NoteCount(string probe, string words) =>
            Trace.Notes.SingleOrDefault(n => n.ProbeId >= 0 && _names[n.ProbeId] == probe && n.Text.Contains(words, StringComparison.Ordinal))?.Count ?? 0;

        private List<TraceEvent> EventsOf(string probe, TraceEventKind kind) =>
            [.. Trace.Events.Where(e => e.Kind == kind && _names[e.ProbeId] == probe)];
    }
}
