using System.CommandLine;
using System.Globalization;
using KprobeTrace.Queries;
using KprobeTrace.Tracing;

namespace KprobeTrace.Report.Verbs;

/// <summary><c>check</c>: is the trace whole?</summary>
internal static class CheckVerb
{
    internal static Command Create(ReportConsole console)
    {
        Argument<string> trace = new("TRACE") { Description = "A trace file." };
        Command command = new("check", SharedOptions.Describe(
            "Reads a whole trace: chunks, checksums, sequence numbers, footer. Exit status 1 and what is lost when it is " +
            "damaged.",
            "check boot.mpk"))
        {
            trace,
        };
        command.SetAction((result, _) =>
        {
            string path = result.GetRequiredValue(trace);
            TraceCheckReport report = TraceReader.Check(path);
            using Utf8Output output = console.Results();
            Print(report, path, output);
            output.Flush();
            if (report.Whole)
            {
                return Task.FromResult((int)ExitCode.Success);
            }

            console.Say($"{path}: {Lost(report)}");
            return Task.FromResult((int)ExitCode.Failure);
        });
        return command;
    }

    /// <summary>What was read and, line by line, what is wrong with it.</summary>
    internal static void Print(TraceCheckReport report, string path, Utf8Output output)
    {
        output.Write(string.Create(
            CultureInfo.InvariantCulture,
            $"{Path.GetFileName(path)}: {report.Bytes:N0} bytes, {report.Chunks:N0} chunks, {report.Events:N0} events"));
        output.Write(report.Whole ? $", whole; the guest ended by {report.Footer!.Ended}\n" : "\n");
        foreach (TraceDamage damage in report.Damage)
        {
            // What has no length is missing, not damaged, and says itself where.
            output.Write(damage.Length == 0 || damage.IsSecondTrace
                ? $"  {damage.Reason}\n"
                : string.Create(
                    CultureInfo.InvariantCulture, $"  byte {damage.Offset:N0}, {damage.Length:N0} bytes: {damage.Reason}\n"));
        }

        if (report.DamageNotListed > 0)
        {
            output.Write(string.Create(CultureInfo.InvariantCulture, $"  and {report.DamageNotListed:N0} more\n"));
        }

        foreach ((ulong first, ulong last) in report.Gaps)
        {
            output.Write(string.Create(CultureInfo.InvariantCulture, $"  events {first:N0} to {last:N0} are missing\n"));
        }
    }

    /// <summary>One line of what is lost.</summary>
    internal static string Lost(TraceCheckReport report)
    {
        List<string> parts = [];
        long damaged = report.Damage.Count(static d => d.Length > 0 && !d.IsSecondTrace) + report.DamageNotListed;
        long gaps = report.Damage.Count(d => d.Length == 0 && d.Offset < report.Bytes);
        if (damaged > 0)
        {
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{damaged:N0} damaged part{(damaged == 1 ? "" : "s")}"));
        }

        if (gaps > 0)
        {
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"frames missing in {gaps:N0} place{(gaps == 1 ? "" : "s")}"));
        }

        if (report.EventsLost > 0)
        {
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{report.EventsLost:N0} events lost"));
        }

        if (report.Footer is null)
        {
            parts.Add("no footer, the trace was cut off");
        }

        string lost = parts.Count == 0 ? "" : string.Join("; ", parts) + "; all the rest can be imported";
        string second = report.Damage.FirstOrDefault(static d => d.IsSecondTrace).Reason ?? "";
        return lost + (lost.Length > 0 && second.Length > 0 ? "; " : "") + second;
    }
}
