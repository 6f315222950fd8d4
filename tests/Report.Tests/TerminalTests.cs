using System.Text;
using KprobeTrace.Report;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>What a terminal gets to see, and what other readers do.</summary>
public sealed class TerminalTests : IDisposable
{
    private const string Hit = "p:f f\n1 f";

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("evnts", "events")]
    [InlineData("qurey", "query")]
    [InlineData("stack", "stacks")]
    [InlineData("exprot", "export")]
    [InlineData("lateny", "latency")]
    public void Misspelt_verb_is_told_the_one_that_was_meant(string typed, string meant)
    {
        foreach (string[] rest in (string[][])[[], [_folder.Trace(Hit)], [_folder.Trace(Hit), "SELECT 1"]])
        {
            Assert.EndsWith($"; did you mean {meant}?", Tool.Bad(2, [typed, .. rest]), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Trace_that_has_the_name_of_no_verb_is_only_missing()
    {
        Assert.EndsWith("nosuch.mpk: no such file; give the path of the trace or database", Tool.Bad(1, "nosuch.mpk"), StringComparison.Ordinal);
        Assert.EndsWith("; did you mean --limit?", Tool.Bad(2, "events", _folder.Trace(Hit), "--limt=4").Split('\n')[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(60, "SELECT name, symbol, args FROM events")]
    [InlineData(50, "SELECT * FROM events")]
    [InlineData(40, "SELECT * FROM regs")]
    public void Tables_fit_the_terminal_and_lose_no_row(int width, string sql)
    {
        string trace = _folder.Trace("""
            p:open do_sys_openat2_of_a_long_name dfd=%di:s32 name=+0(%si):ustring
            100 open sh-4 dfd=-100 name="/usr/share/zoneinfo/Antarctica/DumontDUrville" %r15=0xffff888003042a00
            200 open "a\nb"-4 name="a,\"b\"\n<script>'x'"
            300 open cat-5 dfd=3 name=?
            """);

        string[] lines = OnTerminal(width, "query", trace, sql);

        Assert.All(lines, line => Assert.InRange(line.Length, 0, width));
        Assert.InRange(lines.Length, 4, 3 * 25);
    }

    [Fact]
    public void A_table_that_cannot_fit_shows_its_rows_upright_and_whole()
    {
        string[] lines = OnTerminal(40, "query", _folder.Trace("p:f f\n1 f %di=17"), "SELECT *, '" + new string('x', 50) + "' AS long FROM regs WHERE seq = 1");

        Assert.Equal("row 1", lines[0]);
        Assert.Contains("  di     17", lines);
        Assert.Equal(new string('x', 50), string.Concat(lines[^2..]).Replace("long", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal));
    }

    [ProgramFact("script")]
    public void Colours_show_on_a_terminal_only_and_not_when_they_are_unwanted()
    {
        string plain = Tool.Good(_folder.Trace(Hit));

        // The runtime itself may set the mode of the keypad; what counts here are colours and weights.
        const string graphics = "\e\\[[0-9;]*m";
        Assert.Matches(graphics, InPseudoTerminal("TERM=xterm"));
        Assert.DoesNotMatch(graphics, InPseudoTerminal("TERM=xterm NO_COLOR=1"));
        Assert.DoesNotMatch(graphics, InPseudoTerminal("TERM=dumb"));
        Assert.DoesNotContain("\e", plain, StringComparison.Ordinal);
    }

    [ProgramFact("script")]
    public void Help_is_as_wide_as_the_terminal_and_no_narrower_than_forty_columns()
    {
        Assert.InRange(WidestOf(64), 55, 64);
        Assert.InRange(WidestOf(20), 34, 40);

        static int WidestOf(int columns)
        {
            string tool = Path.Combine(AppContext.BaseDirectory, "kprobe-report.dll");
            string page = ProgramFactAttribute.Run("script", "-qec", $"stty cols {columns}; dotnet {tool} who --help", "/dev/null");
            string options = page[page.IndexOf("Options:", StringComparison.Ordinal)..page.IndexOf("Examples:", StringComparison.Ordinal)];
            return options.Split('\n').Max(static l => l.TrimEnd('\r').Length);
        }
    }

    [Fact]
    public void Progress_appears_on_a_terminal_after_a_second_and_goes_away()
    {
        ManualClock clock = new();
        using StringWriter error = new();
        using (ProgressLine line = new(Console(error, terminal: true), "importing x", clock))
        {
            line.Report(0.1);
            Assert.Equal("", error.ToString());
            clock.Milliseconds = 2000;
            line.Report(0.25);
            Assert.Equal("\rimporting x: 25 %, 6 s left \e[K", error.ToString());
            clock.Milliseconds = 2100;
            line.Report(0.3);
            Assert.Equal(1, error.ToString().Count(static c => c == '\r'));
        }

        Assert.EndsWith("\r\e[K", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(30L * 24 * 60 * 60 * 1000)]
    public void Progress_is_rewritten_four_times_a_second_at_most(long after)
    {
        ManualClock clock = new() { Milliseconds = 40 };
        using StringWriter error = new();
        using ProgressLine line = new(Console(error, terminal: true), "importing x", clock);
        List<bool> shown = [];
        clock.Milliseconds += after;
        foreach (int step in (int[])[-1, 1, 249, 1, 249, 1])
        {
            clock.Milliseconds += step;
            int before = error.ToString().Length;
            line.Report(0.5);
            shown.Add(error.ToString().Length > before);
        }

        // One millisecond before the first second nothing is shown; later that is a time like any other.
        Assert.Equal(after == 1000 ? [false, true, false, true, false, true] : [true, false, true, false, true, false], shown);
    }

    [Fact]
    public void Progress_stays_out_of_files()
    {
        ManualClock clock = new();
        using StringWriter error = new();
        using (ProgressLine line = new(Console(error, terminal: false), "importing x", clock))
        {
            clock.Milliseconds = 5000;
            line.Report(0.5);
        }

        Assert.Equal("", error.ToString());
    }

    private static ReportConsole Console(StringWriter error, bool terminal) =>
        new(Stream.Null, error, static () => TextReader.Null) { ErrorIsTerminal = terminal };

    private static string[] OnTerminal(int width, params string[] args)
    {
        using MemoryStream output = new();
        using StringWriter error = new();
        ReportConsole console = new(output, error, static () => TextReader.Null) { Width = width };
        Assert.Equal(0, ReportTool.Run(args, console));
        return Encoding.UTF8.GetString(output.ToArray()).TrimEnd('\n').Split('\n');
    }

    private string InPseudoTerminal(string variables) => ProgramFactAttribute.Run(
        "script", "-qec", $"env -u NO_COLOR {variables} dotnet {Path.Combine(AppContext.BaseDirectory, "kprobe-report.dll")} {_folder["t.mpk"]}", "/dev/null");

    private sealed class ManualClock : TimeProvider
    {
        public long Milliseconds { get; set; }

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => Milliseconds;
    }
}
