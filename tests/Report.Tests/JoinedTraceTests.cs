using System.Globalization;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>Files of two traces one behind the other, as <c>cat a.mpk b.mpk</c> makes them.</summary>
public sealed class JoinedTraceTests : IDisposable
{
    private const string First = """
        image vmlinuz-a
        p:brk do_brk
        r:brk_ret do_brk
        p:fault handle_fault
        10 brk sh-3 %di=17
        20 brk_ret sh-3
        30 brk sh-3 caller=ksys_brk+8
        31 fault sh-3
        """;

    private const string Second = """
        image vmlinuz-b
        p:open do_open
        5 open init-1
        """;

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Check_says_in_one_line_where_the_second_trace_begins_and_how_to_split_the_file()
    {
        string joined = Join(out long at, File.ReadAllBytes(_folder.Trace(First, "a.mpk")), File.ReadAllBytes(_folder.Trace(Second, "b.mpk")));

        (int exit, string output, string error) = Tool.Run("check", joined);

        Assert.Equal(1, exit);
        Assert.Equal($"kprobe-report: {joined}: {Said(at)}\n", error);
        Assert.Equal(["joined.mpk", "  a second"], output.TrimEnd('\n').Split('\n').Select(static l => l[..10]));
    }

    [Fact]
    public void Commands_that_are_named_split_the_file_into_its_traces()
    {
        byte[] first = File.ReadAllBytes(_folder.Trace(First, "a.mpk"));
        byte[] second = File.ReadAllBytes(_folder.Trace(Second, "b.mpk"));
        string joined = Join(out long at, first, second);

        string split = Tool.Bad(1, "check", joined).Split("split the file there: ")[1];
        string[] commands = [.. split.Split(", ").Select(static c => c.Split(" gives ")[0].Split(" the second")[0])];

        Assert.Equal([$"head -c {at}", $"tail -c +{at + 1}"], commands);
        Assert.Equal(first, File.ReadAllBytes(joined)[..(int)at]);
        Assert.Equal(second, File.ReadAllBytes(joined)[(int)at..]);
    }

    public static TheoryData<string[]> Verbs => new(
        [], ["events"], ["query", "SELECT 1"], ["hist", "--key", "name"], ["latency"], ["stacks"], ["before", "--seq", "1"],
        ["who", "17"], ["html", "-o", "page.html"], ["export", "--to", "csv", "-o", "t.csv"]);

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Every_verb_says_it_and_takes_the_events_of_the_first_only(string[] verb)
    {
        byte[] first = File.ReadAllBytes(_folder.Trace(First, "a.mpk"));
        string joined = Join(out long at, first, File.ReadAllBytes(_folder.Trace(Longer(), "b.mpk")));
        string[] line = [.. verb.Take(1), joined, .. verb.Skip(1).Select(a => a.Contains('.') ? _folder[a] : a)];

        (int exit, _, string error) = Tool.Run(line);
        (_, _, string again) = Tool.Run(line);

        Assert.Equal(0, exit);
        Assert.Equal($"kprobe-report: {joined}: {Said(at)}\n", error);
        Assert.Equal(error, again);
        Assert.Equal(["4,4"], Tool.Rows(joined, "SELECT count(*), max(seq) FROM events"));
        Assert.Equal([$"{at},{new FileInfo(joined).Length - at}"], Tool.Rows(joined, "SELECT offset, length FROM damages"));
    }

    [Fact]
    public void Add_and_diff_say_it_too()
    {
        string joined = Join(out long at, File.ReadAllBytes(_folder.Trace(First, "a.mpk")), File.ReadAllBytes(_folder.Trace(First, "b.mpk")));

        Assert.Equal($"kprobe-report: {joined}: {Said(at)}\n", Tool.Run("add", _folder["fleet.db"], joined, _folder["a.mpk"]).Error);
        Assert.Equal($"kprobe-report: {joined}: {Said(at)}\n", Tool.Run("diff", joined, _folder["a.mpk"]).Error);
    }

    [Fact]
    public void A_second_trace_is_known_by_what_is_left_of_the_first_or_of_itself()
    {
        byte[] first = File.ReadAllBytes(_folder.Trace(First, "a.mpk"));
        byte[] second = File.ReadAllBytes(_folder.Trace(Longer(), "b.mpk"));
        byte[] headless = [.. second];
        headless[20] ^= 1;

        // The first was cut off before its footer; the header of the second is damaged behind a whole first one.
        string cut = Join(out long cutAt, File.ReadAllBytes(_folder.Trace("p:f f\ncut", "c.mpk")), second);
        Assert.Contains($"no footer, the trace was cut off; all the rest can be imported; {Said(cutAt)}", Tool.Bad(1, "check", cut), StringComparison.Ordinal);
        string damaged = Join(out long damagedAt, first, headless);
        string said = Tool.Bad(1, "check", damaged);
        Assert.Contains("a second trace begins at byte ", said, StringComparison.Ordinal);
        Assert.True(long.Parse(said.Split("at byte ")[1].Split(' ')[0], CultureInfo.InvariantCulture) >= damagedAt);
        Assert.Equal(["4"], Tool.Rows(damaged, "SELECT count(*) FROM events"));
    }

    /// <summary>A trace of several chunks.</summary>
    private static string Longer() => Second + string.Concat(Enumerable.Range(1000, 2000).Select(static time => $"\n{time} open later-7"));

    private static string Said(long at) =>
        $"a second trace begins at byte {at} and is left out; split the file there: head -c {at} gives the first, tail -c +{at + 1} the second";

    private string Join(out long at, byte[] first, byte[] second)
    {
        at = first.Length;
        File.WriteAllBytes(_folder["joined.mpk"], [.. first, .. second]);
        File.Delete(_folder["joined.mpk.db"]);
        return _folder["joined.mpk"];
    }
}
