using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>Every option at its least, its most and one beyond, its units and its value where it is not given.</summary>
public sealed class OptionTests(OptionTests.Traces traces) : IClassFixture<OptionTests.Traces>
{
    private const string NoTime = "is no time; write seconds as in 1.5, or a number with ns, us, ms or s";
    private const string NoSize = "is no size; write it as 64M or 2G";

    private const string Probes = """
        symbol kernel_clone at=0xffffffff81094000
        p:fork kernel_clone
        r:fork_ret kernel_clone
        p:open do_sys_openat2
        r:open_ret do_sys_openat2
        p:silent never_called

        """;

    private const string Nine = Probes + """
        100 fork init-1 %di=17
        250 fork_ret init-1 caller=ret_from_fork+4 %ax=42
        300 open sh-42 caller=ksys_open+8
        340 open sh-42 caller=ksys_open+8
        380 open_ret sh-42 caller=ksys_open+8
        500 open_ret sh-42 caller=ksys_open+8
        600 fork sh-42 %di=17
        601 fork fault sh-42
        650 fork post sh-42
        """;

    /// <summary>A trace of nine events, and one of 120 hits of 12 tasks, imported once.</summary>
    public sealed class Traces : IDisposable
    {
        private readonly TraceFolder _folder = new();

        public Traces()
        {
            Nine = _folder.Trace(OptionTests.Nine);
            Many = _folder.Trace(Probes + string.Join('\n', Enumerable.Range(1, 120).Select(static i => $"{i * 10} fork task{i % 12}-{i % 12} %di=17")), "many.mpk");
        }

        internal string Nine { get; }

        internal string Many { get; }

        internal string this[string name] => _folder[name];

        public void Dispose() => _folder.Dispose();
    }

    /// <summary>The third event is 300 ns from the start, the fourth 340, the last 650.</summary>
    [Theory]
    [InlineData("--from", "300ns", "3456789")]
    [InlineData("--from", "301ns", "456789")]
    [InlineData("--from", "0.3us", "3456789")]
    [InlineData("--from", "0.301us", "456789")]
    [InlineData("--from", "0.0003ms", "3456789")]
    [InlineData("--from", "0.000301ms", "456789")]
    [InlineData("--from", "0.0000003s", "3456789")]
    [InlineData("--from", "0.0000003", "3456789")]
    [InlineData("--from", "0.000000301", "456789")]
    [InlineData("--from", "0", "123456789")]
    [InlineData("--from", "1s", "")]
    [InlineData("--from", "1ms", "")]
    [InlineData("--from", "1us", "")]
    [InlineData("--from", "651ns", "")]
    [InlineData("--to", "300ns", "123")]
    [InlineData("--to", "299ns", "12")]
    [InlineData("--to", "1us", "123456789")]
    [InlineData("--to", "0", "")]
    [InlineData("--to", "9223372036.854775807", "123456789")]
    [InlineData("--to", "9223372036854775.807us", "123456789")]
    [InlineData("--to", "9223372036854.775807ms", "123456789")]
    [InlineData("--to", "9223372036854775807ns", "123456789")]
    [InlineData("--from", "9223372036854775807ns", "")]
    [InlineData("--pid", "42", "3456789")]
    [InlineData("--pid", "-2147483648", "")]
    [InlineData("--pid", "2147483647", "")]
    [InlineData("--cpu", "0", "123456789")]
    [InlineData("--cpu", "2147483647", "")]
    [InlineData("--limit", "0", "123456789")]
    [InlineData("--limit", "1", "1")]
    [InlineData("-n", "8", "12345678")]
    [InlineData("-n", "9", "123456789")]
    [InlineData("--limit", "9223372036854775807", "123456789")]
    [InlineData("--run", "1", "123456789")]
    [InlineData("--kind", "pre", "1347")]
    [InlineData("--kind", "post", "9")]
    [InlineData("--kind", "fault", "8")]
    [InlineData("--kind", "ret", "256")]
    [InlineData("--memory", "8M", "123456789")]
    [InlineData("--memory", "8388608", "123456789")]
    [InlineData("--memory", "8192k", "123456789")]
    [InlineData("--memory", "8m", "123456789")]
    [InlineData("--memory", "1G", "123456789")]
    [InlineData("--memory", "1g", "123456789")]
    [InlineData("--memory", "8589934591G", "123456789")]
    [InlineData("--memory", "8796093022207M", "123456789")]
    [InlineData("--memory", "9223372036854775807", "123456789")]
    public void Events_are_chosen_by_an_option_that_has_this_value(string option, string value, string events)
    {
        string[] all = Tool.Good("events", traces.Nine).TrimEnd('\n').Split('\n');

        string output = Tool.Good("events", traces.Nine, option, value);

        Assert.Equal(string.Concat(events.Select(e => all[e - '1'] + "\n")), output);
    }

    [Theory]
    [InlineData("--from", "9223372036.854775808", "--from '9223372036.854775808' " + NoTime)]
    [InlineData("--to", "9223372036854775.808us", "--to '9223372036854775.808us' " + NoTime)]
    [InlineData("--to", "9223372036854.775808ms", "--to '9223372036854.775808ms' " + NoTime)]
    [InlineData("--to", "9223372036854775808ns", "--to '9223372036854775808ns' " + NoTime)]
    [InlineData("--to", "-1", "--to '-1' " + NoTime)]
    [InlineData("--to", "", "--to '' " + NoTime)]
    [InlineData("--to", "s", "--to 's' " + NoTime)]
    [InlineData("--to", "1,5", "--to '1,5' " + NoTime)]
    [InlineData("--to", "1m", "--to '1m' " + NoTime)]
    [InlineData("--to", "1S", "--to '1S' " + NoTime)]
    [InlineData("--memory", "8191K", "--memory 8191K: a query takes 8M at least")]
    [InlineData("--memory", "8388607", "--memory 8388607: a query takes 8M at least")]
    [InlineData("--memory", "0", "--memory 0: a query takes 8M at least")]
    [InlineData("--memory", "8589934592G", "--memory '8589934592G' " + NoSize)]
    [InlineData("--memory", "9223372036854775808", "--memory '9223372036854775808' " + NoSize)]
    [InlineData("--memory", "1T", "--memory '1T' " + NoSize)]
    [InlineData("--memory", "M", "--memory 'M' " + NoSize)]
    [InlineData("--memory", "", "--memory '' " + NoSize)]
    [InlineData("--memory", "-8M", "--memory '-8M' " + NoSize)]
    [InlineData("--pid", "2147483648", "--pid wants a number from -2147483648 to 2147483647, not '2147483648'")]
    [InlineData("--pid", "-2147483649", "--pid wants a number, not '-2147483649'")]
    [InlineData("--cpu", "-1", "--cpu wants a number of at least 0, not '-1'")]
    [InlineData("--cpu", "2147483648", "--cpu wants a number from 0 to 2147483647, not '2147483648'")]
    [InlineData("--limit", "9223372036854775808", "--limit wants a number from 0 to 9223372036854775807, not '9223372036854775808'")]
    [InlineData("--run", "0", "--run wants a number of at least 1, not '0'")]
    [InlineData("--limit", "999999999x", "--limit wants a number of at least 0, not '999999999x'")]
    [InlineData("--limit", "", "--limit wants a number of at least 0, not ''")]
    [InlineData("--kind", "all", "Argument 'all' not recognized. Must be one of: 'pre', 'post', 'fault', 'ret'")]
    [InlineData("--kind", "pree", "Argument 'pree' not recognized. Must be one of: 'pre', 'post', 'fault', 'ret'; did you mean pre?")]
    public void Value_beyond_an_options_range_is_a_wrong_command_line(string option, string value, string said) =>
        Assert.Equal(
            ["kprobe-report: " + said, "kprobe-report: see 'dotnet kprobe-report events --help'"],
            Tool.Bad(2, "events", traces.Nine, option, value).Split('\n'));

    [Theory]
    [InlineData(null, 50, 70)]
    [InlineData("50", 50, 70)]
    [InlineData("1", 1, 119)]
    [InlineData("119", 119, 1)]
    [InlineData("120", 120, 0)]
    [InlineData("121", 120, 0)]
    [InlineData("0", 120, 0)]
    [InlineData("2147483647", 120, 0)]
    public void Histogram_has_this_many_lines(string? limit, int lines, int more)
    {
        (int exit, string output, string error) = Tool.Run(["hist", traces.Many, "--key", "seq", "-f", "jsonl", .. Option("--limit", limit)]);

        Assert.Equal((0, lines), (exit, output.Count(static c => c == '\n')));
        Assert.Equal(more > 0 ? $"kprobe-report: {more} more lines; --limit 0 prints all\n" : "", error);
    }

    [Theory]
    [InlineData(null, 100, true)]
    [InlineData("100", 100, true)]
    [InlineData("1", 1, true)]
    [InlineData("119", 119, true)]
    [InlineData("120", 120, false)]
    [InlineData("0", 120, false)]
    public void Who_finds_this_many_events(string? limit, int lines, bool stopped)
    {
        (int exit, string output, string error) = Tool.Run(["who", traces.Many, "0x11", .. Option("-n", limit)]);

        Assert.Equal((0, lines), (exit, output.Count(static c => c == '\n')));
        Assert.Equal(stopped ? $"kprobe-report: stopped after {lines} events; --limit 0 finds all\n" : "", error);
        Assert.Equal(Enumerable.Range(1, lines), output.TrimEnd('\n').Split('\n').Select(l => int.Parse(l[..10], null)));
    }

    [Theory]
    [InlineData("17", "1,7")]
    [InlineData("0x11", "1,7")]
    [InlineData("0X11", "1,7")]
    [InlineData("42", "2")]
    [InlineData("0xffffffff81094000", "1,2,7,8,9")]
    [InlineData("18446744071579451392", "1,2,7,8,9")]
    [InlineData("-2130100224", "1,2,7,8,9")]
    public void Who_takes_a_value_in_hexadecimal_and_decimal_and_negative(string value, string events) =>
        Assert.Equal(
            events.Split(',').Select(int.Parse),
            Tool.Good("who", traces.Nine, value).TrimEnd('\n').Split('\n').Select(l => int.Parse(l[..10], null)));

    [Theory]
    [InlineData("0x")]
    [InlineData("0x10000000000000000")]
    [InlineData("18446744073709551616")]
    [InlineData("-9223372036854775809")]
    [InlineData("11h")]
    [InlineData("0x-1")]
    [InlineData("")]
    public void Who_wants_a_number_of_64_bits(string value) =>
        Assert.StartsWith($"kprobe-report: VALUE '{value}' is no number of 64 bits\n", Tool.Bad(2, "who", traces.Nine, value), StringComparison.Ordinal);

    [Theory]
    [InlineData("18446744073709551615")]
    [InlineData("-9223372036854775808")]
    [InlineData("0xFFFFFFFFFFFFFFFF")]
    public void Who_takes_the_largest_and_the_least_number(string value) => Assert.Equal("", Tool.Good("who", traces.Nine, value));

    /// <summary>The hits of the same task before event 119, which is task 11's tenth.</summary>
    [Theory]
    [InlineData(null, 9)]
    [InlineData("0", 0)]
    [InlineData("1", 1)]
    [InlineData("8", 8)]
    [InlineData("9", 9)]
    [InlineData("2147483647", 9)]
    public void Before_shows_this_many_events_of_the_same_task(string? limit, int events)
    {
        string output = Tool.Good(["before", traces.Many, "--seq", "119", .. Option("--limit", limit)]);

        int[] expected = [.. Enumerable.Range(1, 9).Select(i => 119 - (12 * i)).Take(events).Reverse()];
        string[] lines = output.TrimEnd('\n').Split('\n');
        int heading = Array.IndexOf(lines, "Before it in the same task");
        Assert.Equal(events > 0, heading >= 0);
        Assert.Equal(expected, lines.Skip(heading + 1).Take(heading < 0 ? 0 : events).Select(l => int.Parse(l[..10], null)));
        Assert.Equal("Last hit of each probe before it", lines[heading < 0 ? 2 : heading + events + 1]);
    }

    [Fact]
    public void Before_shows_ten_events_unless_asked_for_more()
    {
        string one = traces["one.mpk"];
        if (!File.Exists(one))
        {
            using TraceFolder folder = new();
            File.Copy(folder.Trace("p:f f\n" + string.Join('\n', Enumerable.Range(1, 12).Select(static i => $"{i} f"))), one);
        }

        Assert.Equal(10, LinesOf("before", one, "--seq", "12") - 5);
        Assert.Equal(11, LinesOf("before", one, "--seq", "12", "-n", "11") - 5);
    }

    [Theory]
    [InlineData("--fault", "1", true)]
    [InlineData("--seq", "1", true)]
    [InlineData("--fault", "9223372036854775807", false)]
    public void Before_wants_one_event(string option, string value, bool there) => Assert.Equal(there ? 0 : 1, Tool.Run("before", traces.Nine, option, value).Exit);

    [Fact]
    public void Before_wants_no_two_and_not_none()
    {
        Assert.StartsWith("kprobe-report: give one of --fault and --seq\n", Tool.Bad(2, "before", traces.Nine), StringComparison.Ordinal);
        Assert.StartsWith("kprobe-report: give one of --fault and --seq\n", Tool.Bad(2, "before", traces.Nine, "--fault", "1", "--seq", "1"), StringComparison.Ordinal);
    }

    /// <summary>Of five hits four are one task's and one another's.</summary>
    [Theory]
    [InlineData(null, 7)]
    [InlineData("0", 7)]
    [InlineData("20", 7)]
    [InlineData("20.1", 4)]
    [InlineData("80", 4)]
    [InlineData("80.5", 1)]
    [InlineData("100", 1)]
    public void Stacks_leave_out_branches_below_a_share(string? least, int lines) =>
        Assert.Equal(lines, LinesOf(["stacks", traces.Nine, .. Option("--min", least)]));

    [Theory]
    [InlineData("-0.1", "--min wants a number from 0 to 100, not '-0.1'")]
    [InlineData("100.1", "--min wants a number from 0 to 100, not '100.1'")]
    [InlineData("1e1", "--min wants a number from 0 to 100, not '1e1'")]
    [InlineData("NaN", "--min wants a number from 0 to 100, not 'NaN'")]
    public void Share_is_one_of_a_hundred(string least, string said) =>
        Assert.StartsWith($"kprobe-report: {said}\n", Tool.Bad(2, "stacks", traces.Nine, "--min", least), StringComparison.Ordinal);

    [Fact]
    public void Share_of_half_a_per_cent_is_left_out_unless_asked_for()
    {
        using TraceFolder folder = new();
        string trace = Hits(300);

        Assert.DoesNotContain("rare", Tool.Good("stacks", trace), StringComparison.Ordinal);
        Assert.Contains("rare", Tool.Good("stacks", trace, "--min", "0.3"), StringComparison.Ordinal);
        Assert.Contains("rare", Tool.Good("stacks", Hits(200)), StringComparison.Ordinal);

        string Hits(int count) => folder.Trace(
            "p:f f\n1 f rare-2 caller=g+4\n" + string.Join('\n', Enumerable.Range(2, count - 1).Select(static i => $"{i} f often-1 caller=g+4")), $"{count}.mpk");
    }

    [Theory]
    [InlineData(null, 10, 2)]
    [InlineData("1", 1, 11)]
    [InlineData("11", 11, 1)]
    [InlineData("12", 12, 0)]
    [InlineData("2147483647", 12, 0)]
    public void Summary_lists_this_many_tasks(string? top, int tasks, int more)
    {
        string output = Tool.Good([traces.Many, .. Option("--top", top)]);

        Assert.Equal(tasks, output.Split('\n').Count(static l => l.StartsWith("  task", StringComparison.Ordinal)));
        Assert.Contains(more > 0 ? $"\nTasks ({more} more)\n" : "\nTasks\n", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData("3", true)]
    [InlineData("4", false)]
    public void Summary_says_when_there_are_more_silent_probes(string top, bool more)
    {
        string output = Tool.Good(traces.Many, "--top", top);

        Assert.Contains("Never fired: 4 of 5 probes", output, StringComparison.Ordinal);
        Assert.Equal(more, output.EndsWith("\n  …\n", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(null, 5)]
    [InlineData("0", 0)]
    [InlineData("1", 1)]
    [InlineData("7", 7)]
    [InlineData("2147483647", 119)]
    public void Diff_shows_this_many_events_behind_the_first_divergence(string? context, int events)
    {
        (int exit, string output, _) = Tool.Run(["diff", traces.Nine, traces.Many, .. Option("-C", context)]);

        Assert.Equal(1, exit);
        Assert.Equal(events + 1, output.Split('\n').Count(static l => l.StartsWith("+     ", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(null, 6, "")]
    [InlineData("1", 1, " (1 of 6)")]
    [InlineData("5", 5, " (5 of 6)")]
    [InlineData("6", 6, "")]
    [InlineData("7", 6, "")]
    public void Diff_lists_this_many_probes(string? limit, int probes, string more)
    {
        string output = Tool.Run(["diff", traces.Nine, traces.Many, .. Option("--limit", limit)]).Output;

        Assert.Contains($"\nProbes{more}\n", output, StringComparison.Ordinal);
        Assert.Equal(probes, output.Split('\n').Count(static l => l.StartsWith("changed  ", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("--run-a", "1", 0)]
    [InlineData("--run-b", "1", 0)]
    [InlineData("--run-a", "2", 1)]
    [InlineData("--run-b", "2", 1)]
    [InlineData("--run-a", "0", 2)]
    [InlineData("--run-b", "0", 2)]
    [InlineData("--limit", "0", 2)]
    [InlineData("--context", "-1", 2)]
    [InlineData("--format", "text", 0)]
    [InlineData("--format", "json", 0)]
    [InlineData("--format", "csv", 2)]
    public void Diff_of_a_trace_with_itself_ends_with_this_status(string option, string value, int status) =>
        Assert.Equal(status, Tool.Run("diff", traces.Nine, traces.Nine, option, value).Exit);

    /// <summary>Every verb at its best, and with what it cannot do or does not know.</summary>
    [Theory]
    [InlineData(0, "NINE")]
    [InlineData(0, "query", "NINE", "SELECT 1")]
    [InlineData(0, "events", "NINE")]
    [InlineData(0, "hist", "NINE", "--key", "comm")]
    [InlineData(0, "latency", "NINE")]
    [InlineData(0, "stacks", "NINE")]
    [InlineData(0, "before", "NINE", "--seq", "3")]
    [InlineData(0, "who", "NINE", "17")]
    [InlineData(0, "add", "DB", "NINE", "MANY")]
    [InlineData(0, "check", "NINE")]
    [InlineData(0, "diff", "NINE", "NINE")]
    [InlineData(0, "export", "NINE", "--to", "csv", "-o", "-")]
    [InlineData(0, "html", "NINE", "-o", "-")]
    [InlineData(0, "completion", "bash")]
    [InlineData(0, "--version")]
    [InlineData(0, "--help")]
    [InlineData(0, "events", "--help")]
    [InlineData(1, "NONE")]
    [InlineData(1, "query", "NONE", "SELECT 1")]
    [InlineData(1, "query", "NINE", "SELEKT")]
    [InlineData(1, "events", "NONE")]
    [InlineData(1, "hist", "NONE", "--key", "comm")]
    [InlineData(1, "latency", "NONE")]
    [InlineData(1, "stacks", "NONE")]
    [InlineData(1, "before", "NONE", "--seq", "3")]
    [InlineData(1, "who", "NONE", "1")]
    [InlineData(1, "add", "DB", "NONE")]
    [InlineData(1, "check", "NONE")]
    [InlineData(1, "diff", "NINE", "NONE")]
    [InlineData(1, "diff", "NONE", "NINE")]
    [InlineData(1, "diff", "NINE", "MANY")]
    [InlineData(1, "diff", "NINE", "MANY", "--format", "json")]
    [InlineData(1, "export", "NONE", "--to", "csv", "-o", "-")]
    [InlineData(1, "export", "NINE", "--to", "csv", "-o", "NINE")]
    [InlineData(1, "html", "NINE", "-o", "NINE")]
    [InlineData(1, "html", "NONE", "-o", "-")]
    [InlineData(2)]
    [InlineData(2, "query", "NINE")]
    [InlineData(2, "events")]
    [InlineData(2, "hist", "NINE")]
    [InlineData(2, "latency")]
    [InlineData(2, "stacks")]
    [InlineData(2, "who", "NINE")]
    [InlineData(2, "add", "DB")]
    [InlineData(2, "check")]
    [InlineData(2, "diff", "NINE")]
    [InlineData(2, "export", "NINE", "--to", "csv")]
    [InlineData(2, "export", "NINE", "-o", "x")]
    [InlineData(2, "export", "NINE", "--to", "xml", "-o", "x")]
    [InlineData(2, "html", "NINE")]
    [InlineData(2, "completion", "tcsh")]
    [InlineData(2, "completion")]
    [InlineData(2, "events", "NINE", "MANY")]
    [InlineData(2, "NINE", "--nosuch")]
    public void Verb_ends_with_this_status(int status, params string[] line)
    {
        string[] words = [.. line.Select(w => w switch { "NINE" => traces.Nine, "MANY" => traces.Many, "NONE" => traces["none.mpk"], "DB" => traces["new.db"], _ => w })];

        (int exit, string output, string error) = Tool.Run(words);

        Assert.Equal(status, exit);
        Assert.Equal(status == 2 || (status == 1 && line[0] != "diff") || line is ["diff", .., "NONE"] or ["diff", "NONE", ..], error.Length > 0);
        Assert.True(status != 0 || output.Length > 0);
        Assert.True(status != 2 || error.TrimEnd('\n').Split('\n')[^1] is "kprobe-report: see 'dotnet kprobe-report --help'"
            || error.Contains($"\nkprobe-report: see 'dotnet kprobe-report {line[0]} --help'\n", StringComparison.Ordinal));
    }

    private static string[] Option(string name, string? value) => value is null ? [] : [name, value];

    private static int LinesOf(params string[] line) => Tool.Good(line).Count(static c => c == '\n');
}
