using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>CTF, read by babeltrace2, against what was written into the traces.</summary>
[Collection(HistoryBatchSet.Name)]
public sealed class CtfModelTests(HistoryBatch batch)
{
    /// <summary>
    /// Stands for an empty text: babeltrace2 (2.0) shows what the same field of an earlier event held, because it ends a text only
    /// where it adds bytes to it. <see cref="PlainCtfModelTests"/> holds that it is empty.
    /// </summary>
    private const string AnyText = "\uE000";

    [ProgramFact("babeltrace2")]
    public void Every_field_of_every_event_is_that_of_the_trace()
    {
        string folder = batch.Export("ctf", "all.ctf");

        // A stream without a packet has no place in what is read, so an empty run shows nothing.
        string[] lines = Lines(ProgramFactAttribute.Run("babeltrace2", "--clock-cycles", "--fields=trace", "--no-delta", folder));

        AssertLines(
            "all", batch.Database.Runs.SelectMany(static r => r.Rows).Select(static e => $"{e.TimeNs} run-{e.Run}{Event(e)}"),
            lines.OrderBy(static l => Number(l, " run-")).ThenBy(static l => Number(l, "{ seq = ")));
    }

    [ProgramFact("babeltrace2")]
    public void Exported_alone_a_run_is_a_trace_in_order()
    {
        foreach (int run in (int[])[2, 50, 100])
        {
            string folder = batch.Export("ctf", $"{run}.ctf", "--run", $"{run}");

            AssertLines(
                $"run {run}", batch.Database.Runs[run - 1].Rows.Select(static e => $"{e.TimeNs} {Event(e)}"),
                Lines(ProgramFactAttribute.Run("babeltrace2", "--clock-cycles", "--no-delta", folder)));
        }
    }

    private static void AssertLines(string where, IEnumerable<string> expected, IEnumerable<string> lines)
    {
        string[] wanted = [.. expected];
        HistoryBatch.AssertLines(
            where, wanted, lines.Select((line, i) => i < wanted.Length && wanted[i].Contains(AnyText)
                && Regex.IsMatch(line, @"\A" + Regex.Escape(wanted[i]).Replace(AnyText, "\"([^\"\\\\]|\\\\.)*\"") + @"\z") ? wanted[i] : line));
    }

    private static int Number(string line, string before) =>
        int.Parse(Regex.Match(line, Regex.Escape(before) + @"(\d+)").Groups[1].Value, CultureInfo.InvariantCulture);

    /// <summary>An event a line, its time without zeros before it. Names may hold line ends.</summary>
    private static string[] Lines(string output) =>
        [.. Regex.Split(output, @"^\[0*(?=\d+\] )", RegexOptions.Multiline).Skip(1).Select(static l => new Regex(@"\] ").Replace(l[..^1], " ", 1))];

    private static string Event(HistoryRow e)
    {
        StringBuilder text = new();
        _ = text.Append(CultureInfo.InvariantCulture, $"{Name(e)}: {{ seq = {e.Seq}, cpu_id = {e.Cpu}, kind = ( \"{e.Kind}\" : container = {(int)e.Event.Kind} ), address = 0x{e.Address:X} }}, ");
        _ = e.Pid is null ? text : text.Append(CultureInfo.InvariantCulture, $"{{ pid = {e.Pid}, comm = {Quote(e.Comm!)} }}, ");
        List<string> fields = [];
        if (e.Kind == "fault")
        {
            fields.AddRange(
                [$"vector = {e.Event.Vector}", $"error_code = {e.Event.ErrorCode}", $"cr2 = 0x{e.Event.Cr2:X}", $"handled = {(e.Event.IsHandled ? 1 : 0)}"]);
        }

        if (e.Event.Arguments is { } values)
        {
            bool areAll = values.All(static v => v is not null);
            foreach ((Tracing.TraceArgument argument, object? value) in e.Event.Probe.Definition.Arguments.Zip(values))
            {
                string? shown = value is null ? null : Value(argument.Type, e.Argument(argument.Name)!);
                string tag = PlainCtfModelTests.TagOf(e.Event.Probe.Definition, argument.Name);
                fields.AddRange(areAll ? [$"{argument.Name} = {shown}"]
                    : shown is null ? [$"{tag} = ( \"unreadable\" : container = 0 )", $"{argument.Name} = {{ {{ }} }}"]
                    : [$"{tag} = ( \"value\" : container = 1 )", $"{argument.Name} = {{ {shown} }}"]);
            }
        }

        return text.Append(fields.Count == 0 ? "{ }" : "{ " + string.Join(", ", fields) + " }").ToString();
    }

    private static string Name(HistoryRow e) => e.Name + e.Kind switch { "post" => ":post", "fault" => ":fault", _ => "" };

    private static string Value(string type, object value) => value switch
    {
        string text => Quote(text),
        long number when type is "" or "x8" or "x16" or "x32" or "x64" or "symbol" => $"0x{number:X}",
        long number when type[0] is 'u' or 'b' => $"{(ulong)number}",
        _ => $"{value}",
    };

    /// <summary>As babeltrace2 shows a text.</summary>
    private static string Quote(string text) => text.Length == 0 ? AnyText : "\"" + string.Concat(text.Select(static c => c switch
    {
        '"' or '\'' or '\\' => $"\\{c}",
        '\n' => "\\n",
        '\t' => "\\t",
        < ' ' or '\u007F' => $"\\x{(int)c:x2}",
        _ => c.ToString(),
    })) + "\"";
}
