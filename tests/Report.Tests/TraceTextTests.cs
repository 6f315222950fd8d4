using KprobeTrace.Tests.Report.Models;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>Histories as tests write them.</summary>
public sealed class TraceTextTests : IDisposable
{
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_row_is_told_as_it_was_written()
    {
        History history = TraceText.Parse("""
            image img                                # a remark
            p:in outer n=%di:s8 text=+0(%si):string list=%dx:u8[2]
            r:fs/out outer
            p:mid m:inner+0x10

            7 in "a b\n\""-9 n=-3 text="\xff#" list={1,?} %di=0x11 caller=outer+8 stack=outer,outer+9
            9 out cpu=2 %flags=0x46 entered=8
            10 in - text=plain truncated=1
            12 in fault sh-3 vector=13 error=2 cr2=16 of=3 handled=1
            console 5 "a line"
            note 6 miss mid 4 "no room"
            end exit time=90 insn=80 code=3
            """);

        Assert.Equal(
            """
            image img, 3 CPUs, exit, 256 events a chunk
              symbol "outer" 0xffffffff81000000+0x100
              symbol "inner" 0xffffffff81001000+0x100 [m]
              probe 0 p:kprobes/"in" "outer"+0 n:s8 text:string list:u8[2]
              probe 1 r:fs/"out" "outer"+0
              probe 2 p:kprobes/"mid" "inner"+16
                1          7 ns [0] "a b\u000a\""-9 pre "in"#0 (-3, bin ff23, [1, nil]) caller ffffffff81000008 stack ffffffff81000000 ffffffff81000009 di=11 ip=ffffffff81000000 flags=246
                2          9 ns [2] "init"-1 ret "out"#1 entered at 8 ip=ffffffff81000000 flags=46
                3         10 ns [0] no task pre "in"#0 (0, "plain"(5), [0, 0]) truncated ip=ffffffff81000000 flags=246
                4         12 ns [0] "sh"-3 fault "in"#0 entry 3 vector 13 error 2 cr2 10 handled ip=ffffffff81000000 flags=246
              console 5 "a line"
              note 6 Miss probe 2 4x "no room"

            """,
            history.ToString());
        Assert.Equal((90UL, 80UL, 3), (history.Footer!.TimeNs, history.Footer.Instructions, history.Footer.ExitCode));
        Assert.Equal([2UL, 1UL, 0UL], history.Footer.Probes.Select(static p => p.Hits));
    }

    [Theory]
    [InlineData("1 f; 2 f; 3 f_ret; 4 f_ret", "0 0 2 1")] // the innermost call returns first
    [InlineData("1 f a-1; 2 f b-2; 3 f_ret a-1", "0 0 1")] // each task has calls of its own
    [InlineData("1 f; 2 g; 3 f_ret", "0 0 1")] // and so has each function
    [InlineData("1 f; 2 f fault; 3 f post; 4 f_ret", "0 1 1 1")]
    [InlineData("1 f; 2 f post sh-2; 3 f_ret", "0 0 1")]
    [InlineData("1 f_ret; 2 f; 3 f_ret of=-; 4 f_ret", "0 0 0 2")]
    [InlineData("1 f; 2 f; 3 f_ret of=1", "0 0 1")]
    public void An_event_completes_what_it_completes_in_a_kernel(string rows, string of)
    {
        History history = TraceText.Parse("p:f f\nr:f_ret f\np:g g\n" + rows.Replace("; ", "\n", StringComparison.Ordinal));

        Assert.Equal(of, string.Join(' ', history.Events.Select(static e => e.EntrySeq)));
    }

    [Fact]
    public void What_is_not_written_has_a_plain_value_and_a_whole_trace_is_made_of_it()
    {
        string trace = _folder.Trace("p:f f\n30 f");

        Assert.Equal(["vmlinuz,poweroff,31,1"], Tool.Rows(trace, "SELECT image, ended, time_ns, complete FROM runs"));
        Assert.Equal(["1,init,0,1000"], Tool.Rows(trace, "SELECT pid, comm, cpu, insn FROM events"));
        Assert.Equal(["0"], Tool.Rows(_folder.Trace("p:f f\ncut", "cut.mpk"), "SELECT complete FROM runs"));
    }

    [Theory]
    [InlineData("5 g", "row 2, '5 g': there is no probe g")]
    [InlineData("5 f %eax=1", "row 2, '5 f %eax=1': %eax is no register")]
    [InlineData("5 f colour=1", "row 2, '5 f colour=1': colour is no argument of f and nothing else that an event has")]
    [InlineData("5 f sh", "row 2, '5 f sh': sh is no task; write it as NAME-PID")]
    [InlineData("5 f post of=1", "row 2, '5 f post of=1': there is no event 1 before it")]
    [InlineData("5 f of=1", "row 2, '5 f of=1': a hit completes nothing")]
    [InlineData("5 f sh-2 sh-3", "row 2, '5 f sh-2 sh-3': sh-3 is no WHAT=VALUE")]
    [InlineData("p:f g", "row 2, 'p:f g': there is a probe of that name")]
    [InlineData("colour red", "row 2, 'colour red': no row begins with colour")]
    [InlineData("image", "row 2, 'image': there is something missing")]
    [InlineData("image \"a", "row 2, 'image \"a': \"a has no quote at its end")]
    [InlineData("image \"\\q\"", "row 2, 'image \"\\q\"': there is no escape \\q")]
    public void A_row_that_makes_no_sense_is_named(string row, string said) =>
        Assert.Equal(said, Assert.Throws<FormatException>(() => TraceText.Parse("p:f f\n" + row)).Message);
}
