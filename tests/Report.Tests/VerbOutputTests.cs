using System.Globalization;
using System.Text;
using KprobeTrace.Report;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>What verbs print of eleven events, character by character.</summary>
public sealed class VerbOutputTests(VerbOutputTests.Imported story) : IClassFixture<VerbOutputTests.Imported>
{
    /// <summary>A fork and its return; a read within a read, and one behind both; a hit that faults and is done under another name.</summary>
    private const string Story = """
        image vmlinuz-verbs
        kernel "Linux version 6.1.0-verbs"
        cmdline "console=ttyS0 panic=-1"
        memory 0x20000000
        p:fork kernel_clone
        r:fork_ret kernel_clone
        p:read vfs_read
        r:read_ret vfs_read
        p:silent never_called
        100 fork systemd-1 %si=17 caller=ret_from_fork+4
        170 fork_ret systemd-1 caller=ret_from_fork+4
        300 read sh-42 caller=ksys_read+0x10
        340 read sh-42 caller=do_splice+8
        380 read_ret sh-42 caller=do_splice+8
        500 read_ret sh-42 caller=ksys_read+0x10
        510 read sh-42 caller=ksys_read+0x10
        560 read_ret sh-42 caller=ksys_read+0x10
        600 fork "e\"v,i'l\n"-42 %di=17
        601 fork fault "e\"v,i'l\n"-42 error=2 cr2=0x7fff0000
        650 fork post sh-42
        end poweroff time=1000 insn=900
        """;

    /// <summary>The story, imported once.</summary>
    public sealed class Imported : IDisposable
    {
        private readonly TraceFolder _folder = new();

        public Imported() => Trace = _folder.Trace(Story);

        internal string Trace { get; }

        internal string this[string name] => _folder[name];

        public void Dispose() => _folder.Dispose();
    }

    [Fact]
    public void Summary_of_a_run() => Assert.Equal(
        """
        Run 1: vmlinuz-verbs
          kernel        Linux version 6.1.0-verbs
          command line  console=ttyS0 panic=-1
          sha256        9e1a4e4b4072b7c8bc5bf86b815aa9de2113fe18f7b19750853a8b2d30fa5aa4
          memory        512 MiB
          virtual time  0.000001000 s
          instructions  900
          ended         poweroff
          trace         complete

        Events: 11
          kind   events
          pre         5
          ret         4
          fault       1
          post        1

        Most frequent
          event     symbol        hits
          read      vfs_read         3
          read_ret  vfs_read         3
          fork      kernel_clone     2
          fork_ret  kernel_clone     1

        Tasks
          comm       hits
          sh            6
          systemd       2
          e"v,i'l\n     1

        Latency, ns of virtual time
          event     symbol        calls  min  mean  p50  p95  p99  max
          read_ret  vfs_read          3   40  96.7   50  200  200  200
          fork_ret  kernel_clone      1   70  70.0   70   70   70   70

        Faults of probed instructions
          vector  name        faults  handled
              14  page fault       1        0

        Never fired: 1 of 5 probes
          event   symbol        state
          silent  never_called  armed

        """,
        Tool.Good(story.Trace));

    [Fact]
    public void Two_runs_have_a_blank_line_between_them_and_columns_of_their_own()
    {
        string database = story["two.db"];
        Assert.Equal($"{story.Trace}: run 1\n", Tool.Good("add", database, story.Trace));
        string other = story["copy.mpk"];
        using (TraceFolder folder = new())
        {
            File.Copy(folder.Trace(Story.Replace("image vmlinuz-verbs", "image vmlinuz-other", StringComparison.Ordinal)), other);
        }

        Assert.Equal($"{story.Trace}: run 1, was there already\n{other}: run 2\n", Tool.Good("add", database, story.Trace, other));
        string summary = Tool.Good(database);
        Assert.StartsWith("Run 1: vmlinuz-verbs\n", summary, StringComparison.Ordinal);
        Assert.Contains("  armed\n\nRun 2: vmlinuz-other\n", summary, StringComparison.Ordinal);
        Assert.Equal(
            """
            run  name      symbol    between    count  min_ns  mean_ns  p50_ns  p95_ns  p99_ns  max_ns
              1  read_ret  vfs_read  entry-ret      3      40     96.7      50     200     200     200
              2  read_ret  vfs_read  entry-ret      3      40     96.7      50     200     200     200

            """,
            Tool.Good("latency", database, "read_ret"));
        Assert.StartsWith("2,", Tool.Good("latency", database, "fork", "--run", "2", "-f", "csv").Split("\r\n")[1], StringComparison.Ordinal);
        Assert.StartsWith("1,", Tool.Good("latency", database, "fork", "--run", "1", "-f", "csv").Split("\r\n")[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Summary_tells_an_exit_code_and_what_is_unknown_and_lost()
    {
        using TraceFolder folder = new();
        string trace = folder.Trace("memory 4096\ncmdline \"\"\np:f f\ncut");

        string summary = Tool.Good(trace);

        Assert.Contains("\n  memory        4,096 bytes\n  virtual time  ", summary, StringComparison.Ordinal);
        Assert.Contains("\n  trace         incomplete\n    ", summary, StringComparison.Ordinal);
        Assert.DoesNotContain("command line", summary, StringComparison.Ordinal);
        Assert.DoesNotContain("Most frequent", summary, StringComparison.Ordinal);
        Assert.DoesNotContain("Latency", summary, StringComparison.Ordinal);
        Assert.DoesNotContain("Faults", summary, StringComparison.Ordinal);
    }

    /// <summary>Vectors of exceptions as the Intel manual, volume 3, table 6-1, calls them.</summary>
    [Theory]
    [InlineData(0, "divide error")]
    [InlineData(1, "debug")]
    [InlineData(3, "breakpoint")]
    [InlineData(6, "invalid opcode")]
    [InlineData(7, "device not available")]
    [InlineData(8, "double fault")]
    [InlineData(11, "segment not present")]
    [InlineData(12, "stack fault")]
    [InlineData(13, "general protection")]
    [InlineData(14, "page fault")]
    [InlineData(16, "x87 error")]
    [InlineData(17, "alignment check")]
    [InlineData(19, "SIMD error")]
    [InlineData(2, "")]
    [InlineData(20, "")]
    public void Fault_has_the_name_of_its_vector(byte vector, string name)
    {
        using TraceFolder folder = new();
        string trace = folder.Trace($"p:f f\n1 f\n2 f fault vector={vector}");

        string[] lines = Tool.Good(trace).Split('\n');
        string row = lines[Array.IndexOf(lines, "Faults of probed instructions") + 2];
        Assert.Equal(vector.ToString(CultureInfo.InvariantCulture), row[..8].Trim());
        Assert.Equal(name, row[10..].TrimEnd('0', '1', ' '));
    }

    [Theory]
    [InlineData("table", "key        count\nsh             6  ########################################\nsystemd        2  ##############\ne\"v,i'l\\n      1  #######\n")]
    [InlineData("csv", "key,count\r\nsh,6\r\nsystemd,2\r\n\"e\"\"v,i'l\n\",1\r\n")]
    [InlineData("json", "[\n{\"key\":\"sh\",\"count\":6},\n{\"key\":\"systemd\",\"count\":2},\n{\"key\":\"e\\u0022v,i\\u0027l\\n\",\"count\":1}\n]\n")]
    [InlineData("jsonl", "{\"key\":\"sh\",\"count\":6}\n{\"key\":\"systemd\",\"count\":2}\n{\"key\":\"e\\u0022v,i\\u0027l\\n\",\"count\":1}\n")]
    public void Histogram_in_a_format(string format, string text) => Assert.Equal(text, Tool.Good("hist", story.Trace, "--key", "comm", "-f", format));

    [Fact]
    public void Histogram_with_values_and_rows_that_have_none()
    {
        string[] line = ["hist", story.Trace, "--key", "comm", "--value", "case when seq > 3 then seq / 4.0 end"];

        Assert.Equal(
            "| key       | count |  sum |  min | mean |  max |                                          |\n"
            + "|-----------|------:|-----:|-----:|-----:|-----:|------------------------------------------|\n"
            + "| sh        |     6 |  7.5 |    1 |  1.5 |    2 | ######################################## |\n"
            + "| systemd   |     2 |      |      |      |      | ##############                           |\n"
            + "| e\"v,i'l\\\\n |     1 | 2.25 | 2.25 | 2.25 | 2.25 | #######                                  |\n",
            Tool.Good([.. line, "--format", "md"]));
        Assert.Equal("key,count,sum,min,mean,max\r\nsh,6,7.5,1,1.5,2\r\nsystemd,2,,,,\r\n\"e\"\"v,i'l\n\",1,2.25,2.25,2.25,2.25\r\n", Tool.Good([.. line, "-f", "csv"]));
        Assert.Contains("{\"key\":\"systemd\",\"count\":2,\"sum\":null,\"min\":null,\"mean\":null,\"max\":null}\n", Tool.Good([.. line, "-f", "jsonl"]), StringComparison.Ordinal);
        Assert.Equal("[]\n", Tool.Good([.. line, "--where", "seq > 99", "-f", "json"]));
        Assert.Equal("", Tool.Good([.. line, "--where", "seq > 99", "-f", "jsonl"]));
    }

    [Theory]
    [InlineData("table", "a  b\n1  x\n", "a  b\n")]
    [InlineData("csv", "a,b\r\n1,x\r\n", "a,b\r\n")]
    [InlineData("jsonl", "{\"a\":1,\"b\":\"x\"}\n", "")]
    [InlineData("md", "| a | b |\n|---:|----|\n| 1 | x |\n", null)]
    public void Query_in_a_format(string format, string one, string? none)
    {
        Assert.Equal(one, Tool.Good("query", story.Trace, "SELECT 1 AS a, 'x' AS b", "--format", format));
        Assert.Equal(one, Tool.RunWith("SELECT 1 AS a, 'x' AS b", "query", story.Trace, "-", "-f", format).Output);
        if (none is not null)
        {
            Assert.StartsWith(none, Tool.Good("query", story.Trace, "SELECT 1 AS a, 'x' AS b WHERE 0", "--format", format), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Latencies_in_a_table_and_with_more_digits_elsewhere()
    {
        Assert.Equal(
            """
            name      symbol        between    count  min_ns  mean_ns  p50_ns  p95_ns  p99_ns  max_ns
            read_ret  vfs_read      entry-ret      3      40     96.7      50     200     200     200
            fork_ret  kernel_clone  entry-ret      1      70     70.0      70      70      70      70
            fork      kernel_clone  pre-post       1      50     50.0      50      50      50      50

            """,
            Tool.Good("latency", story.Trace));
        Assert.Equal(
            """{"run":1,"name":"fork_ret","symbol":"kernel_clone","between":"entry-ret","count":1,"min_ns":70,"mean_ns":70,"p50_ns":70,"p95_ns":70,"p99_ns":70,"max_ns":70}""" + "\n",
            Tool.Good("latency", story.Trace, "fork_ret", "-f", "jsonl"));
        using TraceFolder folder = new();
        string thirds = folder.Trace("""
            p:f f
            r:f_ret f
            100 f
            101 f_ret
            200 f
            201 f_ret
            300 f
            302 f_ret
            """);
        Assert.Contains(",3,1,1.333,1,2,2,2\r\n", Tool.Good("latency", thirds, "-f", "csv"), StringComparison.Ordinal);
        Assert.Contains("  1.3  ", Tool.Good("latency", thirds), StringComparison.Ordinal);
    }

    [Fact]
    public void Stacks_as_a_tree_and_folded()
    {
        Assert.Equal(
            """
             100.0 %          8  all
              75.0 %          6    sh
              50.0 %          4      ksys_read
              50.0 %          4        vfs_read
              25.0 %          2      do_splice
              25.0 %          2        vfs_read
              25.0 %          2    systemd
              25.0 %          2      ret_from_fork
              25.0 %          2        kernel_clone

            """,
            Tool.Good("stacks", story.Trace));
        Assert.Equal(
            ["sh;do_splice;vfs_read 2", "sh;ksys_read;vfs_read 4", "systemd;ret_from_fork;kernel_clone 2"],
            Tool.Good("stacks", story.Trace, "--folded").TrimEnd('\n').Split('\n').Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Before_shows_the_event_what_was_open_and_what_came_last()
    {
        string output = Tool.Good("before", story.Trace, "--seq", "5", "-n", "1");

        Assert.Equal(
            ["Event 5", "5", "Calls of its task that were open", "3", "Before it in the same task", "4", "Last hit of each probe before it", "4", "2", "1"],
            output.TrimEnd('\n').Split('\n').Select(static l => l[0] == ' ' ? l[..10].Trim() : l));
        Assert.Contains("Last hit of each probe before it\n         4 ", output, StringComparison.Ordinal);
        Assert.Equal(
            ["4"],
            Tool.Good("before", story.Trace, "--seq", "5", "-n", "1", "--probe", "read").Split("each probe before it\n")[1].TrimEnd('\n').Split('\n').Select(static l => l[..10].Trim()));
    }

    [Fact]
    public void Who_names_the_registers()
    {
        string[] lines = Tool.Good("who", story.Trace, "17").TrimEnd('\n').Split('\n');

        Assert.Equal(["         1 si       ", "         9 di       "], lines.Select(static l => l[..20]));
        Assert.All(lines, static l => Assert.Contains("0.000000", l, StringComparison.Ordinal));
    }

    [Fact]
    public void Check_of_a_whole_trace_and_of_a_cut_one()
    {
        long bytes = new FileInfo(story.Trace).Length;
        Assert.Equal(
            string.Create(CultureInfo.InvariantCulture, $"t.mpk: {bytes:N0} bytes, 3 chunks, 11 events, whole; the guest ended by poweroff\n"), Tool.Good("check", story.Trace));
        string cut = story["cut.mpk"];
        File.WriteAllBytes(cut, File.ReadAllBytes(story.Trace)[..^20]);
        (int exit, string output, string error) = Tool.Run("check", cut);

        Assert.Equal(1, exit);
        Assert.StartsWith(string.Create(CultureInfo.InvariantCulture, $"cut.mpk: {bytes - 20:N0} bytes, 3 chunks, 11 events\n  byte "), output, StringComparison.Ordinal);
        Assert.Equal($"kprobe-report: {cut}: 1 damaged part; no footer, the trace was cut off; all the rest can be imported\n", error);
    }

    [Theory]
    [InlineData("0", "0 bytes")]
    [InlineData("1048575", "1,048,575 bytes")]
    [InlineData("1048576", "1 MiB")]
    [InlineData("1048577", "1,048,577 bytes")]
    [InlineData("1572864", "1,572,864 bytes")]
    [InlineData("3221225472", "3072 MiB")]
    [InlineData("9223372036854775807", "9,223,372,036,854,775,807 bytes")]
    [InlineData("-1048576", "-1,048,576 bytes")]
    [InlineData("9223372036854775808", "9223372036854775808")]
    [InlineData("", "")]
    [InlineData("much", "much")]
    public void Bytes_are_MiB_where_that_is_a_whole_number(string number, string text) => Assert.Equal(text, ByteCount.Of(number));

    [Fact]
    public void Colours_are_those_of_a_terminal()
    {
        using MemoryStream output = new();
        ReportConsole plain = new(output, TextWriter.Null, static () => TextReader.Null);
        ReportConsole coloured = new(output, TextWriter.Null, static () => TextReader.Null) { Colour = true };

        Assert.Equal(("a", "b", "c"), (plain.Bold("a"), plain.Red("b"), plain.Green("c")));
        Assert.Equal(("\e[1ma\e[0m", "\e[31mb\e[0m", "\e[32mc\e[0m"), (coloured.Bold("a"), coloured.Red("b"), coloured.Green("c")));
        Assert.Equal((false, false, false, 0), (plain.OwnsProcess, plain.ErrorIsTerminal, plain.Colour, plain.Width));
    }

    [Fact]
    public void Diff_colours_the_sides_and_headings_of_a_terminal()
    {
        using TraceFolder folder = new();
        string other = folder.Trace(Story.Replace("650 fork post sh-42", "", StringComparison.Ordinal));
        using MemoryStream output = new();
        int exit = ReportTool.Run(["diff", story.Trace, other], new ReportConsole(output, TextWriter.Null, static () => TextReader.Null) { Colour = true });
        string text = Encoding.UTF8.GetString(output.ToArray());

        Assert.Equal(1, exit);
        Assert.StartsWith("\e[31m- \e[0mA: ", text, StringComparison.Ordinal);
        Assert.Contains("\n\e[32m+ \e[0mB: ", text, StringComparison.Ordinal);
        Assert.Contains("\n\e[1mFirst divergence of 1: 1 event only in A, 0 only in B\e[0m\n", text, StringComparison.Ordinal);
        Assert.Contains("\n\e[31m-\e[0m        11 ", text, StringComparison.Ordinal);
        Assert.Contains("\n\e[1mProbes\e[0m\n", text, StringComparison.Ordinal);
        Assert.Contains("+  (end of trace)\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Progress_is_rewritten_four_times_a_second_at_most_and_from_the_first_second_on()
    {
        Clock clock = new() { Milliseconds = 500 };
        using StringWriter error = new();
        ProgressLine line = new(new ReportConsole(Stream.Null, error, static () => TextReader.Null) { ErrorIsTerminal = true }, "x", clock);
        List<long> shown = [];
        for (long at = 0; at <= 2000; at += 10)
        {
            clock.Milliseconds = 500 + at;
            int before = error.ToString().Length;
            line.Report(at / 4000.0);
            if (error.ToString().Length > before)
            {
                shown.Add(at);
            }
        }

        line.Dispose();
        Assert.Equal([1000, 1250, 1500, 1750, 2000], shown);
        Assert.StartsWith("\rx: 25 %, 3 s left \e[K\rx: 31 %, 3 s left \e[K", error.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("\rx: 50 %, 2 s left \e[K\r\e[K", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Progress_of_nothing_has_no_time_left()
    {
        Clock clock = new();
        using StringWriter error = new();
        using ProgressLine line = new(new ReportConsole(Stream.Null, error, static () => TextReader.Null) { ErrorIsTerminal = true }, "x", clock);
        clock.Milliseconds = 1000;
        line.Report(0);

        Assert.Equal("\rx: 0 %, 0 s left \e[K", error.ToString());
    }

    [Fact]
    public void Help_of_a_verb() => Assert.Equal(
        """
        Which events held a value in any register.

        Usage: dotnet kprobe-report who SRC VALUE [OPTIONS]

          SRC    A trace (imported into TRACE.db unless that is up to date) or a history database.
          VALUE  The value: hexadecimal with 0x, or decimal.

        Options:
          --db FILE        Import the trace into FILE instead of TRACE.db.
          --register NAME  Look only in this register (repeatable; all).
          -n, --limit N    Stop after N events (100; 0: no limit).
          --run N          The run of a database that holds several (all).
          -h, --help       Print this.

        Examples:
          dotnet kprobe-report who boot.mpk 0xffff888003042a00
          dotnet kprobe-report who boot.mpk 0xffff888003042a00 --register di --limit 0

        """,
        Tool.Good("who", "--help"));

    [Theory]
    [InlineData("query", "query SRC SQL [OPTIONS]")]
    [InlineData("latency", "latency SRC [PROBE …] [OPTIONS]")]
    [InlineData("add", "add DB TRACE …")]
    [InlineData("check", "check TRACE")]
    [InlineData("completion", "completion SHELL")]
    public void Help_shows_what_may_be_left_out_and_what_repeated(string verb, string call) =>
        Assert.Equal([$"Usage: dotnet kprobe-report {call}"], Tool.Good(verb, "--help").Split('\n').Where(static l => l.StartsWith("Usage", StringComparison.Ordinal)));

    [Theory]
    [InlineData("-h", true)]
    [InlineData("--help", true)]
    [InlineData("-?", false)]
    [InlineData("/?", false)]
    [InlineData("/h", false)]
    public void Help_has_the_two_spellings_of_this_system(string word, bool isHelp) =>
        Assert.Equal(isHelp, Tool.Run("check", word).Output.Contains("Usage", StringComparison.Ordinal));

    [Theory]
    [InlineData(40)]
    [InlineData(72)]
    [InlineData(200)]
    public void Help_fits_a_terminal_and_says_the_same(int width)
    {
        using MemoryStream output = new();
        Assert.Equal(0, ReportTool.Run(["--help"], new ReportConsole(output, TextWriter.Null, static () => TextReader.Null) { Width = width }));
        string help = Encoding.UTF8.GetString(output.ToArray());

        string prose = help[..help.IndexOf("\nExamples:", StringComparison.Ordinal)];
        Assert.All(prose.Split('\n').Where(static l => !l.StartsWith("Usage", StringComparison.Ordinal)), l => Assert.InRange(l.Length, 0, width));
        Assert.Equal(Words(Tool.Good("--help")), Words(help));
        Assert.Contains("\n  events      Prints one line an event,", help, StringComparison.Ordinal);

        static string Words(string text) => string.Join(' ', text.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
    }

    private sealed class Clock : TimeProvider
    {
        public long Milliseconds { get; set; }

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => Milliseconds;
    }
}
