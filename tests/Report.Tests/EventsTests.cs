using Xunit;

namespace KprobeTrace.Tests.Report;

public sealed class EventsTests : IDisposable
{
    /// <summary>A fork; an open within an open; a hit that faults and is done under another name.</summary>
    private const string Story = """
        image vmlinuz-events
        kernel "Linux version 6.1.0-test"
        symbol kernel_clone size=0x400
        p:fork kernel_clone
        r:fork_ret kernel_clone
        p:open do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring
        r:open_ret do_sys_openat2 ret=$retval:s64
        p:silent never_called
        100 fork init-1 %di=17
        250 fork_ret init-1 caller=ksys_caller+0x10 %ax=42
        300 open sh-42 dfd=-100 name=/etc/passwd caller=ksys_caller+0x10
        340 open sh-42 dfd=-100 name="a,\"b\"\n<script>'x'" caller=ksys_caller+0x10
        380 open_ret sh-42 ret=3 caller=ksys_caller+0x10 %ax=3
        500 open_ret sh-42 ret=4 caller=ksys_caller+0x10 %ax=4
        600 fork "e\"v,i'l\n"-42 %di=17
        601 fork fault "e\"v,i'l\n"-42 error=2 cr2=0x7fff0000
        650 fork post sh-42
        """;

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Lines_look_like_those_of_ftrace()
    {
        string[] lines = Tool.Good("events", _folder.Trace(Story), "--ns").TrimEnd('\n').Split('\n');

        Assert.Equal(
            [
                "            init-1       [000] ..... 0.000000100: fork: (kernel_clone+0x0/0x400)",
                "            init-1       [000] ..... 0.000000250: fork_ret: (ksys_caller+0x10/0x100 <- kernel_clone)",
                "              sh-42      [000] ..... 0.000000300: open: (do_sys_openat2+0x0/0x100) dfd=-100 name=\"/etc/passwd\"",
                "              sh-42      [000] ..... 0.000000340: open: (do_sys_openat2+0x0/0x100) dfd=-100 name=\"a,\\\"b\\\"\\u000a<script>'x'\"",
                "              sh-42      [000] ..... 0.000000380: open_ret: (ksys_caller+0x10/0x100 <- do_sys_openat2) ret=3",
                "              sh-42      [000] ..... 0.000000500: open_ret: (ksys_caller+0x10/0x100 <- do_sys_openat2) ret=4",
                "       e\"v,i'l\\n-42      [000] ..... 0.000000600: fork: (kernel_clone+0x0/0x400)",
                "       e\"v,i'l\\n-42      [000] ..... 0.000000601: fork: (kernel_clone+0x0/0x400) fault vector=14 error=0x2 cr2=0x7fff0000 unhandled",
                "              sh-42      [000] ..... 0.000000650: fork: (kernel_clone+0x0/0x400) post",
            ],
            lines);
    }

    /// <summary>Times beyond the seconds that 31 and 32 bits of nanoseconds are; the second event lies before the first.</summary>
    [Theory]
    [InlineData("5000000000", "3000000000", "6000000000")]
    [InlineData("2147483648", "2147483647", "4294967296")]
    [InlineData("4294967296", "4294967295", "8589934592")]
    public void Events_are_found_by_their_times_also_where_time_falls(string first, string second, string third)
    {
        string trace = _folder.Trace($"p:f f\n{first} f a-1\n{second} f b-2\n{third} f c-3");

        Assert.Equal("a c", Tasks("--from", first + "ns"));
        Assert.Equal("a b", Tasks("--to", first + "ns"));
        Assert.Equal("b", Tasks("--to", second + "ns"));
        Assert.Equal("c", Tasks("--from", third + "ns"));

        string Tasks(string option, string value) =>
            string.Join(' ', Tool.Good("events", trace, option, value).TrimEnd('\n').Split('\n').Select(static l => l.Trim()[..1]));
    }

    [Fact]
    public void Lines_flag_events_with_interrupts_off()
    {
        string trace = _folder.Trace("""
            p:irq handle_irq
            1 irq %flags=0x246
            2 irq cpu=1
            3 irq %flags=0x46
            4 irq %flags=0
            5 irq %flags=0x200
            """);
        string[] lines = Tool.Good("events", trace).TrimEnd('\n').Split('\n');

        Assert.Equal(
            ["[000] .....", "[001] .....", "[000] d....", "[000] d....", "[000] ....."],
            lines.Select(static l => l[l.IndexOf('[', StringComparison.Ordinal)..][..11]));
        Assert.Equal(["0"], Tool.Rows(trace, "SELECT sum(truncated) FROM events"));
        Assert.Equal(["ok"], Tool.Rows(trace, "SELECT * FROM pragma_integrity_check"));
    }

    [Theory]
    [InlineData("9223372036.854775808")]
    [InlineData("9223372036854775808ns")]
    [InlineData("79228162514264337593543950335")]
    [InlineData("79228162514264337593543950336")]
    [InlineData("1e3")]
    [InlineData("ms")]
    public void What_is_no_time_is_said_to_be_none(string time) =>
        Assert.Contains($"'{time}' is no time; write seconds as in 1.5", Tool.Bad(2, "events", _folder.Trace("p:f f\n1 f"), "--from", time), StringComparison.Ordinal);

    [Theory]
    [InlineData("--probe open", "3 4")]
    [InlineData("--probe open*", "3 4 5 6")]
    [InlineData("--probe kprobes/fork", "1 7 8 9")]
    [InlineData("--symbol kernel_clone --kind pre", "1 7")]
    [InlineData("--comm sh", "3 4 5 6 9")]
    [InlineData("--pid 1", "1 2")]
    [InlineData("--pid 1 --kind ret", "2")]
    [InlineData("--kind fault --kind post", "8 9")]
    [InlineData("--cpu 0 --limit 2", "1 2")]
    [InlineData("--cpu 1", "")]
    [InlineData("--from 340ns --to 0.0000005", "4 5 6")]
    [InlineData("--from 5", "")]
    [InlineData("--to 99ns", "")]
    [InlineData("--where seq>7", "8 9")]
    [InlineData("--probe open --where arg_name='/etc/passwd'", "3")]
    [InlineData("--where caller='ksys_caller+0x10' --comm sh", "3 4 5 6")]
    public void Filters_choose_events(string options, string expected)
    {
        string trace = _folder.Trace(Story);
        string[] all = Tool.Good("events", trace).TrimEnd('\n').Split('\n');

        string output = Tool.Good(["events", trace, .. options.Split(' ')]);

        string[] wanted = [.. expected.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(n => all[int.Parse(n, null) - 1])];
        Assert.Equal(string.Concat(wanted.Select(static l => l + "\n")), output);
    }

    [Theory]
    [InlineData("--where", "foo = 1", "--where, column 1: no such column: foo")]
    [InlineData("--where", "1) OR (1", "--where")]
    [InlineData("--where", "1; DROP TABLE kt_run", "one expression")]
    [InlineData("--probe", "nothing", "no probe matches nothing")]
    [InlineData("--run", "7", "no run 7")]
    public void Wrong_filters_are_one_line(string option, string value, string expected) =>
        Assert.Contains(expected, Tool.Bad(1, "events", _folder.Trace("p:f f\n1 f"), option, value), StringComparison.Ordinal);

    [Fact]
    public void A_hit_without_a_task_says_so() =>
        Assert.Equal(
            ["           <...>-0       [000] ..... 0.000000001: f: (f+0x0/0x100)", "            init-1       [000] ..... 0.000000002: f: (f+0x0/0x100)"],
            Tool.Good("events", _folder.Trace("p:f f\n1 f -\n2 f"), "--ns").TrimEnd('\n').Split('\n'));

    [Theory]
    [InlineData("--key", "kind", "post,1|pre,2")]
    [InlineData("--key", "name --value length(kind)", "f,3,10,3,3.3333333333333335,4")]
    [InlineData("--key", "name --where kind<>'fault'", "f,3")]
    [InlineData("--key", "name --value seq", "f,2,4,1,2,3")]
    [InlineData("--key", "name", "f,2")]
    public void A_histogram_is_of_hits_unless_an_expression_speaks_of_kinds(string option, string rest, string rows) =>
        Assert.Equal(
            rows.Split('|'),
            Tool.Good(["hist", _folder.Trace("p:f f\n1 f\n2 f post\n3 f"), option, .. rest.Split(' '), "--format", "csv"]).TrimEnd().Split("\r\n").Skip(1).Order());

    [Fact]
    public void The_view_of_an_event_has_the_arguments_of_its_own_probes_and_no_others()
    {
        string trace = _folder.Trace("p:a f x=%di:u32 y=%si:u32\np:b g z=%di:u32\n1 a x=1 y=2\n2 b z=3");

        Assert.Equal("x y\r\n", Columns("a"));
        Assert.Equal("z\r\n", Columns("b"));

        string Columns(string view) => Tool.Good(
            "query", trace, $"SELECT group_concat(name, ' ') FROM pragma_table_info('{view}') WHERE name NOT IN (SELECT name FROM pragma_table_info('events'))", "--format", "csv").Split("\r\n", 2)[1];
    }

    [Fact]
    public void A_name_that_has_calls_is_measured_by_them_alone() =>
        Assert.Equal(
            ["1,work,f,entry-ret,1,40,40,40,40,40,40"],
            Tool.Good("latency", _folder.Trace("p:in f\nr:a/work f\np:b/work g\n100 in\n140 a/work\n200 b/work\n205 b/work post"), "--format", "csv").TrimEnd().Split("\r\n").Skip(1));

    [Fact]
    public void Latency_counts_pairs()
    {
        Assert.Equal(
            "run,name,symbol,between,count,min_ns,mean_ns,p50_ns,p95_ns,p99_ns,max_ns\r\n" +
            "1,open_ret,do_sys_openat2,entry-ret,2,40,120,40,200,200,200\r\n",
            Tool.Good("latency", _folder.Trace(Story), "open*", "--format", "csv"));
        Assert.Contains("fork,kernel_clone,pre-post,1,50", Tool.Good("latency", _folder["t.mpk"], "--format", "csv"), StringComparison.Ordinal);
    }

    [Fact]
    public void Histograms_count_by_expression_and_by_powers_of_two()
    {
        string trace = _folder.Trace("""
            p:f f
            r:f_ret f
            p:g g
            100 f
            131 f_ret %ax=5
            200 f
            233 f_ret %ax=-3
            300 f
            363 f_ret %ax=7
            400 f
            464 f_ret %ax=9
            500 g
            """);

        Assert.Equal(
            "key,count\r\nf,8\r\ng,1\r\n",
            Tool.Good("hist", trace, "--key", "symbol", "--format", "csv"));
        Assert.Equal(
            "key,count,sum,min,mean,max\r\n\"[16, 32)\",1,5,5,5,5\r\n\"[32, 64)\",2,4,-3,2,7\r\n\"[64, 128)\",1,9,9,9,9\r\n",
            Tool.Good("hist", trace, "--key", "duration_ns", "--log2", "--value", "retval", "--format", "csv"));
        Assert.Contains("no such column: nope", Tool.Bad(1, "hist", trace, "--key", "nope"), StringComparison.Ordinal);
        _ = Tool.Bad(1, "hist", trace, "--key", "1; DELETE FROM kt_run");
    }

    [Fact]
    public void Stacks_fall_back_to_callers()
    {
        const string Opens = """
            p:open do_open
            1 open sh-2 caller=ksys_open+8
            2 open sh-2 caller=ksys_open+0x20
            3 open cat-3
            4 open cat-3 caller=0x1234
            """;
        string trace = _folder.Trace(Opens);

        Assert.Equal(
            ["cat;0x1234;do_open 1", "sh;ksys_open;do_open 2"],
            Tool.Good("stacks", trace, "--folded", "--probe", "open").TrimEnd('\n').Split('\n').Order(StringComparer.Ordinal));
        Assert.StartsWith(" 100.0 %          3  all\n", Tool.Good("stacks", trace), StringComparison.Ordinal);

        // One stack, and no caller stands for one.
        string deep = _folder.Trace(Opens + "\n5 open sh-2 stack=do_open,do_far+4,entry+8", "deep.mpk");
        Assert.Equal("sh;entry;do_far;do_open 1\n", Tool.Good("stacks", deep, "--folded"));
    }

    [Fact]
    public void Before_tells_what_led_to_a_fault()
    {
        string trace = _folder.Trace(Story);
        string output = Tool.Good("before", trace, "--fault", "1");

        Assert.Contains("Event 8", output, StringComparison.Ordinal);
        Assert.Contains("         6               sh-42", output, StringComparison.Ordinal);
        Assert.Contains("there is no fault 2", Tool.Bad(1, "before", trace, "--fault", "2"), StringComparison.Ordinal);
        Assert.Contains("has no event 99", Tool.Bad(1, "before", trace, "--seq", "99"), StringComparison.Ordinal);
    }

    [Fact]
    public void Who_finds_values_in_registers()
    {
        string trace = _folder.Trace("""
            p:f f
            1 f %di=17
            2 f %si=17 %ax=18
            3 f %ax=16
            """);

        Assert.StartsWith("         1 di", Tool.Good("who", trace, "0x11"), StringComparison.Ordinal);
        Assert.Equal(2, Tool.Good("who", trace, "17").Count(static c => c == '\n'));
        Assert.Equal("", Tool.Good("who", trace, "17", "--register", "ax"));
        Assert.Contains("is no register", Tool.Bad(1, "who", trace, "1", "--register", "eax"), StringComparison.Ordinal);
    }

    [Fact]
    public void Summary_names_what_a_reader_wants_first()
    {
        string output = Tool.Good(_folder.Trace(Story));

        foreach (string part in (string[])["Run 1: vmlinuz-events", "Linux version 6.1.0-test", "poweroff", "complete", "Events: 9", "Never fired: 1 of 5", "never_called", "page fault", "open_ret"])
        {
            Assert.Contains(part, output, StringComparison.Ordinal);
        }

        Assert.DoesNotContain('\e', output);
    }

    [Fact]
    public void Check_accepts_a_whole_trace_and_refuses_a_cut_one()
    {
        string trace = _folder.Trace("p:f f\n1 f\n2 f");
        Assert.Contains("whole", Tool.Good("check", trace), StringComparison.Ordinal);
        string cut = _folder["cut.mpk"];
        File.WriteAllBytes(cut, File.ReadAllBytes(trace)[..^20]);

        Assert.Contains("all the rest can be imported", Tool.Bad(1, "check", cut), StringComparison.Ordinal);
        Assert.Contains("incomplete", Tool.Good(cut), StringComparison.Ordinal);
    }
}
