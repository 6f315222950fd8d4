using System.Globalization;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>CTF, read by <see cref="PlainCtf"/>, against what was written into the traces: no program of the host is needed.</summary>
[Collection(HistoryBatchSet.Name)]
public sealed class PlainCtfModelTests(HistoryBatch batch)
{
    [Fact]
    public void Every_field_of_every_event_of_every_run_is_that_of_the_trace_empty_texts_too()
    {
        string folder = batch.Export("ctf", "plain.ctf");

        foreach (HistoryRun run in batch.Database.Runs)
        {
            HistoryBatch.AssertLines($"run {run.Run}", run.Rows.Select(Event), PlainCtf.Read(Path.Combine(folder, $"run-{run.Run}")));
        }

        Assert.Contains(batch.Database.Runs.SelectMany(static r => r.Rows).Select(Event), static e => e.Contains("=''", StringComparison.Ordinal));
    }

    /// <summary>What says whether an argument could be read; no argument is called so.</summary>
    internal static string TagOf(Tracing.TraceProbe probe, string argument)
    {
        string tag = "is_" + argument;
        while (probe.Arguments.Any(a => a.Name == tag))
        {
            tag += "_";
        }

        return tag;
    }

    private static string Event(HistoryRow e)
    {
        List<string> fields = [$"seq={e.Seq}", $"cpu_id={e.Cpu}", $"kind={e.Kind}", $"address=0x{e.Address:x}"];
        fields.AddRange(e.Pid is null ? [] : [$"pid={e.Pid}", $"comm='{e.Comm}'"]);
        fields.AddRange(e.Kind != "fault" ? []
            : [$"vector={e.Event.Vector}", $"error_code={e.Event.ErrorCode}", $"cr2=0x{e.Event.Cr2:x}", $"handled={(e.Event.IsHandled ? 1 : 0)}"]);
        if (e.Event.Arguments is { } values)
        {
            bool areAll = values.All(static v => v is not null);
            foreach ((Tracing.TraceArgument argument, object? value) in e.Event.Probe.Definition.Arguments.Zip(values))
            {
                fields.AddRange(areAll ? [] : [$"{TagOf(e.Event.Probe.Definition, argument.Name)}={(value is null ? "unreadable" : "value")}"]);
                fields.Add($"{argument.Name}={(value is null ? "{}" : Value(argument.Type, e.Argument(argument.Name)!))}");
            }
        }

        return string.Create(CultureInfo.InvariantCulture, $"{e.TimeNs} {e.Name}{e.Kind switch { "post" => ":post", "fault" => ":fault", _ => "" }}: {string.Join(", ", fields)}");
    }

    private static string Value(string type, object value) => value switch
    {
        string text => $"'{text}'",
        long number when type is "" or "x8" or "x16" or "x32" or "x64" or "symbol" => $"0x{number:x}",
        long number when type[0] is 'u' or 'b' => $"{(ulong)number}",
        _ => $"{value}",
    };
}
