using System.Globalization;
using System.Text.RegularExpressions;
using KprobeTrace.Tracing;
using Xunit;
using Xunit.Abstractions;

namespace KprobeTrace.Tests.Record;

/// <summary>Stock Debian kernels from their first instruction to power-off.</summary>
public sealed partial class StockBootTests(StockBoots boots, ITestOutputHelper output) : IClassFixture<StockBoots>
{
    [StockGuestFact]
    public void Cloud_kernel_boots_to_power_off_with_its_console_on_stdout() => AssertBooted(boots.Cloud);

    [StockGuestFact]
    public void Generic_kernel_boots_to_power_off_with_its_console_on_stdout() => AssertBooted(boots.Generic);

    [StockGuestFact]
    public void Kernel_of_Debian_13_boots_to_power_off_with_its_console_on_stdout() => AssertBooted(boots.Debian13, "6.12.");

    [StockGuestFact]
    public void Newest_kernel_boots_to_power_off_with_its_console_on_stdout() => AssertBooted(boots.Newest, "7.");

    [StockGuestFact]
    public void Kernels_print_no_warning_of_the_processor_or_of_themselves()
    {
        foreach (StockBoots.Boot boot in (StockBoots.Boot[])[boots.Cloud, boots.Generic, boots.Debian13, boots.Newest])
        {
            Assert.DoesNotContain(boot.Lines, line => WarningLine().IsMatch(line));
        }
    }

    [StockGuestFact]
    public void Every_fork_since_the_kernel_began_is_recorded()
    {
        foreach (StockBoots.Boot boot in (StockBoots.Boot[])[boots.Cloud, boots.Generic, boots.Debian13, boots.Newest])
        {
            string counted = Assert.Single(boot.Lines, line => line.StartsWith("WORKLOAD-END processes=", StringComparison.Ordinal))["WORKLOAD-END processes=".Length..];
            using ToolRun query = ToolRun.Report(boots.FolderName, "query", boot.TracePath, "--db", boots[Guid.NewGuid().ToString("N")],
                "select count(*) from events where name='fork' and kind='pre' and time_ns < (select time_ns from console where line like 'WORKLOAD-END%')", "--format", "csv");

            Assert.Equal(counted, query.Good().Output.Split("\r\n")[1]);
        }
    }

    [StockGuestFact]
    public void Same_command_gives_the_same_bytes()
    {
        Assert.Equal(0, boots.CloudAgain.Exit);
        Assert.Equal(boots.Cloud.Output, boots.CloudAgain.Output);
        Assert.True(File.ReadAllBytes(boots.Cloud.TracePath).AsSpan().SequenceEqual(File.ReadAllBytes(boots.CloudAgain.TracePath)));
    }

    [StockGuestFact]
    public void Query_counts_the_forks_of_the_workload_as_the_kernel_does()
    {
        AssertForks(boots.Cloud);
        AssertForks(boots.Generic);
    }

    [StockGuestFact]
    public void Summary_and_events_show_what_was_recorded()
    {
        using ToolRun summary = ToolRun.Report(boots.FolderName, boots.Cloud.TracePath, "--db", boots["summary.db"]);
        Assert.Contains("vmlinuz-cloud", summary.Good().Output, StringComparison.Ordinal);
        Assert.Contains("fork", summary.Output, StringComparison.Ordinal);

        using ToolRun forks = ToolRun.Report(boots.FolderName, "events", boots["summary.db"], "--probe", "fork", "--kind", "pre", "--comm", "workload");
        string[] lines = forks.Good().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(Forks(boots.Cloud), lines.Length);
        Assert.All(lines, line => Assert.Matches(@"^\s*workload-\d+ .* fork: \(kernel_clone\+0x0/0x[0-9a-f]+\)", line));

        using ToolRun opens = ToolRun.Report(boots.FolderName, "events", boots["summary.db"], "--probe", "open_ret", "--kind", "ret");
        Assert.Contains("<- do_sys_openat2", opens.Good().Output, StringComparison.Ordinal);
    }

    [StockGuestFact]
    public void Opened_files_are_named_and_their_descriptors_returned()
    {
        WholeTrace trace = boots.Cloud.Read();
        Dictionary<string, ulong> hits = trace.Hits();

        Assert.Equal(hits["open"], hits["open_ret"]);
        using ToolRun query = ToolRun.Report(boots.FolderName, "query", boots.Cloud.TracePath, "--db", boots["open.db"],
            "select count(*) from open where kind='pre' and comm='workload' and arg_name='/tmp/lines'", "--format", "csv");
        Assert.Equal("2", query.Good().Output.Split("\r\n")[1]);
    }

    [StockGuestFact]
    public void More_probes_change_neither_console_nor_instructions()
    {
        WholeTrace few = boots.Cloud.Read();
        WholeTrace many = boots.CloudManyProbes.Read();

        Assert.Equal(boots.Cloud.Output, boots.CloudManyProbes.Output);
        Assert.Equal((few.Footer!.Instructions, few.Footer.TimeNs), (many.Footer!.Instructions, many.Footer.TimeNs));
        Assert.True(many.Probes.Count >= 300);
        Assert.Contains(many.Probes, p => p.Type == 'r' && many.Footer.Probes.Single(c => c.ProbeId == p.Id).Hits > 0);
        Assert.Contains(many.Probes, p => p.Offset > 0 && many.Footer.Probes.Single(c => c.ProbeId == p.Id).Hits > 0);
    }

    [StockGuestFact]
    public void Engine_counts_what_the_probes_count()
    {
        WholeTrace trace = boots.CloudManyProbes.Read();
        Dictionary<int, TraceProbe> probes = trace.Probes.ToDictionary(p => p.Id);
        int fired = 0;
        foreach (TraceProbeCount count in trace.Footer!.Probes)
        {
            TraceProbe probe = probes[count.ProbeId];
            ulong executed = (ulong)boots.Counts[probe.Address];
            fired += count.Hits > 0 ? 1 : 0;
            if (probe.Type == 'p')
            {
                Assert.Equal((probe.Definition, executed), (probe.Definition, count.Hits));
                Assert.Equal(count.Hits, (ulong)trace.Events.Count(e => e.ProbeId == probe.Id && e.Kind == TraceEventKind.Pre));
            }
            else
            {
                Assert.True(count.Hits <= executed, probe.Definition);
            }
        }

        output.WriteLine($"{fired} of {trace.Probes.Count} probes fired");
        Assert.True(fired >= 60);
    }

    [StockGuestFact]
    public void An_event_with_all_registers_takes_at_most_18_bytes()
    {
        WholeTrace trace = boots.CloudManyProbes.Read();
        double bytes = (double)new FileInfo(boots.CloudManyProbes.TracePath).Length / trace.Events.Count;

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{trace.Events.Count} events, {bytes:F2} bytes an event"));
        Assert.True(trace.Events.Count >= 100_000, $"only {trace.Events.Count} events");
        Assert.True(bytes <= 18, $"{bytes:F2} bytes an event");
    }

    [StockGuestFact]
    public void Reset_after_a_panic_is_a_crash_with_a_complete_trace()
    {
        WholeTrace trace = boots.Panic.Read();

        Assert.Equal(3, boots.Panic.Exit);
        Assert.Contains("the guest panicked and reset", boots.Panic.Error, StringComparison.Ordinal);
        Assert.Equal("reset", trace.Footer!.Ended);
        Assert.Equal(1ul, trace.Hits()["panic"]);
        Assert.Contains("Kernel panic - not syncing", trace.Console, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"unchecked MSR|Call Trace:|WARNING:|BUG:|Oops|\[Firmware (Bug|Warn)\]|MTRR override|Unable to init MCE")]
    private static partial Regex WarningLine();

    private static void AssertBooted(StockBoots.Boot boot, string version = "6.")
    {
        Assert.True(boot.Exit == 0, boot.Error);
        Assert.Contains(boot.Lines, line => line.Contains("Linux version " + version, StringComparison.Ordinal));
        Assert.Contains("INIT-DONE", boot.Lines);
        Assert.Contains("SUM=1.596163243913", boot.Lines);
        Assert.Contains("SEGFAULT-STATUS=139", boot.Lines);
        TraceCheckReport report = TraceReader.Check(boot.TracePath);
        Assert.True(report.Whole);
        Assert.Equal("poweroff", report.Footer!.Ended);
    }

    private static int Forks(StockBoots.Boot boot) =>
        int.Parse(boot.Lines.Select(line => Regex.Match(line, @"^FORKS=(\d+)$")).Single(m => m.Success).Groups[1].Value, CultureInfo.InvariantCulture);

    private void AssertForks(StockBoots.Boot boot)
    {
        using ToolRun query = ToolRun.Report(boots.FolderName, "query", boot.TracePath, "--db", boots[Guid.NewGuid().ToString("N")],
            "select comm, count(*) from events where name='fork' and kind='pre' group by comm", "--format", "csv");
        string[] rows = query.Good().Output.Split("\r\n");

        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"workload,{Forks(boot)}"), rows);
    }
}
