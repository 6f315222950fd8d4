using System.CommandLine;
using System.Globalization;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Tools;

namespace KprobeTrace.Report.Verbs;

/// <summary>The default verb: imports a trace and prints its summary.</summary>
internal static class SummaryVerb
{
    internal static RootCommand Create(ReportConsole console)
    {
        Argument<string> source = SharedOptions.Source("TRACE");
        Option<string?> database = SharedOptions.Database();
        Option<int> top = new Option<int>("--top")
        {
            Description = "How many symbols, tasks and silent probes to list (10).",
            HelpName = "N",
            DefaultValueFactory = static _ => 10,
        }.Whole(1);
        RootCommand command = new(SharedOptions.Describe(
            "Imports kprobe-record traces into SQLite, summarises them and answers questions about them.",
            "boot.mpk",
            "query boot.mpk \"select * from calls limit 5\""))
        {
            source,
            database,
            top,
        };
        command.SetAction((result, cancellation) =>
        {
            using TraceHistory history = SharedOptions.Open(
                console, result.GetRequiredValue(source), result.GetValue(database), cancellation);
            using Utf8Output output = console.Results();
            bool first = true;
            foreach (TraceSummary summary in TraceSummary.Read(history, result.GetValue(top)))
            {
                output.Write(first ? "" : "\n");
                first = false;
                Print(summary, output, console);
            }

            return Task.FromResult((int)ExitCode.Success);
        });
        return command;
    }

    private static void Print(TraceSummary summary, Utf8Output output, ReportConsole console)
    {
        IReadOnlyDictionary<string, string> run = summary.Properties;
        Heading($"Run {summary.Run}: {(run["image"].Length > 0 ? run["image"] : "image unknown")}");
        Property("kernel", run["kernel"]);
        Property("command line", run["command_line"]);
        Property("sha256", run["image_sha256"]);
        Property("memory", ByteCount.Of(run["memory"]));
        Property("virtual time", Seconds(run["time_ns"]));
        Property("instructions", Grouped(run["instructions"]));
        Property("ended", run["ended"] + (run["exit_code"] == "0" ? "" : ", exit code " + run["exit_code"]));
        output.Write($"  {"trace",-13} {(summary.Complete ? "complete" : console.Red("incomplete"))}\n");
        foreach (string damage in summary.Damage)
        {
            Line("    " + damage);
        }

        Heading($"Events: {summary.Events.ToString("N0", CultureInfo.InvariantCulture)}");
        Table(["kind", "events"], [0], summary.Kinds.Select(static k => new object[] { k.Name, k.Count }));
        if (summary.Symbols.Count > 0)
        {
            Heading("Most frequent" + More(summary.OtherSymbols));
            Table(
                ["event", "symbol", "hits"],
                [0, 1],
                summary.Symbols.Select(static s => new object[] { s.Name, s.Symbol, s.Count }));
            Heading("Tasks" + More(summary.OtherComms));
            Table(["comm", "hits"], [0], summary.Comms.Select(static c => new object[] { c.Name, c.Count }));
        }

        if (summary.Latencies.Count > 0)
        {
            Heading("Latency, ns of virtual time");
            Table(
                ["event", "symbol", "calls", "min", "mean", "p50", "p95", "p99", "max"],
                [0, 1],
                summary.Latencies.Select(static l => new object[]
                {
                    l.Name, l.Symbol, l.Count, l.MinNs, l.MeanNs.ToString("0.0", CultureInfo.InvariantCulture), l.P50Ns,
                    l.P95Ns, l.P99Ns, l.MaxNs,
                }));
        }

        if (summary.Faults.Count > 0)
        {
            Heading("Faults of probed instructions");
            Table(
                ["vector", "name", "faults", "handled"],
                [1],
                summary.Faults.Select(static f => new object[] { f.Vector, VectorName(f.Vector), f.Count, f.Handled }));
        }

        if (summary.SilentCount > 0)
        {
            Heading(string.Create(
                CultureInfo.InvariantCulture, $"Never fired: {summary.SilentCount:N0} of {summary.Probes:N0} probes"));
            Table(
                ["event", "symbol", "state"],
                [0, 1, 2],
                summary.Silent.Select(static s => new object[] { s.Name, s.Symbol, s.State }));
            if (summary.SilentCount > summary.Silent.Count)
            {
                Line("  …");
            }
        }

        if (summary.Notes.Count > 0)
        {
            Heading("Notes");
            foreach (string note in summary.Notes)
            {
                Line("  " + note);
            }
        }

        void Heading(string text)
        {
            if (!text.StartsWith("Run", StringComparison.Ordinal))
            {
                output.WriteByte((byte)'\n');
            }

            output.Write(console.Bold(Visible(text)) + "\n");
        }

        void Property(string name, string value)
        {
            if (value.Length > 0)
            {
                Line($"  {name,-13} {value}");
            }
        }

        void Line(string text) => output.Write(Visible(text) + "\n");

        void Table(string[] columns, int[] left, IEnumerable<object[]> rows)
        {
            ValueRows table = new("table", output, console);
            table.Begin([.. columns.Select(static (c, i) => i == 0 ? "  " + c : c)]);
            foreach (object[] row in rows)
            {
                row[0] = "  " + Convert.ToString(row[0], CultureInfo.InvariantCulture);
                table.Add(row);
            }

            table.AlignLeft(left);
            table.Finish();
        }
    }

    private static string More(int others) =>
        others > 0 ? string.Create(CultureInfo.InvariantCulture, $" ({others:N0} more)") : "";

    /// <summary>Nothing that a trace holds may move the terminal's cursor, or fill it.</summary>
    private static string Visible(string text) =>
        Excerpt.WithoutControls(Excerpt.Of(text, Excerpt.MaxLine), '\uFFFD');

    private static string Grouped(string number) =>
        long.Parse(number, CultureInfo.InvariantCulture).ToString("N0", CultureInfo.InvariantCulture);

    private static string Seconds(string nanoseconds) => string.Create(
        CultureInfo.InvariantCulture, $"{long.Parse(nanoseconds, CultureInfo.InvariantCulture) / 1e9:0.000000000} s");

    private static string VectorName(int vector) => vector switch
    {
        0 => "divide error",
        1 => "debug",
        3 => "breakpoint",
        6 => "invalid opcode",
        7 => "device not available",
        8 => "double fault",
        11 => "segment not present",
        12 => "stack fault",
        13 => "general protection",
        14 => "page fault",
        16 => "x87 error",
        17 => "alignment check",
        19 => "SIMD error",
        _ => "",
    };
}
