using System.Globalization;
using CsCheck;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary><c>add</c>, trace by trace and again, against a list of the runs that are there.</summary>
public sealed class AddModelTests
{
    /// <summary>Three traces as five files: two have the content of another one.</summary>
    private const int Files = 5;
    private static readonly int[] _contentOf = [0, 1, 2, 0, 1];

    [Fact]
    public void A_trace_becomes_the_next_run_unless_its_content_is_one_already() => HistoryCheck.Ask(
        40, HistoryGen.Plan.Array[3], 1,
        static _ => Gen.Int[0, Files - 1].Array[1, 4].Array[1, 3],
        static (histories, commands) =>
        {
            string[] files = [.. _contentOf.Select((content, i) => Copy(histories, content, i))];
            string database = histories["fleet.db"];
            File.Delete(database);
            List<int> there = [];
            foreach (int[] command in commands)
            {
                List<string> lines = [];
                foreach (int file in command)
                {
                    int run = there.IndexOf(_contentOf[file]) + 1;
                    lines.Add(string.Create(CultureInfo.InvariantCulture, $"{files[file]}: run {(run > 0 ? run : there.Count + 1)}{(run > 0 ? ", was there already" : "")}\n"));
                    there.AddRange(run > 0 ? [] : [_contentOf[file]]);
                }

                Assert.Equal(string.Concat(lines), Tool.Good(["add", database, .. command.Select(f => files[f])]));
                Assert.Equal(Runs(histories, there), Tool.Good("query", database, RunSql, "--format", "csv"));
            }

            Assert.Equal(Events(histories, there), Tool.Good("query", database, EventSql, "--format", "csv"));
            Assert.Equal(
                string.Concat(there.Select(c => Summary(histories.Traces[c]) + "\n")).TrimEnd('\n'), Unnumbered(Tool.Good(database)).TrimEnd('\n'));
            Assert.Equal("ok\r\n", Tool.Good("query", database, "PRAGMA integrity_check", "--format", "csv").Split("\r\n", 2)[1]);
        });

    private const string RunSql = "SELECT run, image, memory, ended, exit_code, complete, (SELECT count(*) FROM events e WHERE e.run = r.run) n FROM runs r ORDER BY run";
    private const string EventSql = "SELECT run, seq, time_ns, insn, cpu, kind, probe, pid FROM events ORDER BY run, seq";

    private static string Copy(HistoryDatabase histories, int content, int file)
    {
        string path = histories[string.Create(CultureInfo.InvariantCulture, $"file-{file}.mpk")];
        File.Copy(histories.Traces[content], path, overwrite: true);
        return path;
    }

    private static string Runs(HistoryDatabase histories, List<int> there) => "run,image,memory,ended,exit_code,complete,n\r\n" + string.Concat(there.Select((content, i) =>
    {
        HistoryRun run = histories.Runs[content];
        TraceFooter? footer = run.History.Footer;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{i + 1},{run.History.Header.ImageName},{run.History.Header.MemoryBytes},{footer?.Ended ?? "cut-off"},{footer?.ExitCode ?? 0},{(footer is null ? 0 : 1)},{run.Rows.Count}\r\n");
    }));

    private static string Events(HistoryDatabase histories, List<int> there) => "run,seq,time_ns,insn,cpu,kind,probe,pid\r\n" + string.Concat(there.SelectMany((content, i) =>
        histories.Runs[content].Rows.Select(r => string.Create(
            CultureInfo.InvariantCulture, $"{i + 1},{r.Seq},{r.TimeNs},{r.Insn},{r.Cpu},{r.Kind},{r.Probe},{r.Pid}\r\n"))));

    /// <summary>What the trace by itself is said to be.</summary>
    private static string Summary(string trace) => Unnumbered(Tool.Good(trace));

    private static string Unnumbered(string summary) => System.Text.RegularExpressions.Regex.Replace(summary, "(?m)^Run [0-9]+: ", "Run: ");
}
