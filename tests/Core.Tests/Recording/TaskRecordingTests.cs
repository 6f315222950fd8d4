using System.Text;
using KprobeTrace.Kprobes;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Tests.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Recording;

/// <summary>Who ran, as the events of a Linux guest say it.</summary>
public sealed class TaskRecordingTests
{
    private const int Registers = 1;
    private const int Task = 2;

    [Fact]
    public void Name_of_a_task_ends_at_its_first_NUL_whatever_stands_behind_that()
    {
        // A NUL at each place and none, with letters behind it; then bytes that arithmetic on words could take for a NUL.
        List<(int Pid, byte[] Comm)> tasks = [];
        for (int length = 0; length <= 16; length++)
        {
            byte[] comm = "abcdefghijklmnop"u8.ToArray();
            if (length < 16)
            {
                comm[length] = 0;
            }

            tasks.Add((100 + length, comm));
        }

        tasks.Add((-1, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]));
        tasks.Add((int.MaxValue, [0x80, 0xFF, 1, 0x7F, 0x81, 0x80, 1, 0, 1, 0x80, 0xFF, 0, 0, 0, 0, 0]));
        tasks.Add((int.MinValue, [0xFF, 0x80, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x80, 1, 0xFF, 0, 1, 2, 3, 4]));
        tasks.Add((0, "swapper/0\0\0\0\0\0\0\0"u8.ToArray()));

        RecordedGuest run = RecordedGuest.Run(SmallLinux.Build(tasks), new RecordingOptions { Image = "", Probes = ["p:fn fn n=%di:u32 who=$comm"], Kinds = EventKinds.Pre });

        Assert.Equal(tasks.Count + 1, run.Events.Count);
        PlainEvent before = run.Events[0];
        Assert.Equal((0, 0, ""), (before.Parts & Task, before.Pid, Encoding.ASCII.GetString(before.Comm)));
        Assert.Equal(tasks.Select(t => t.Pid), run.Events.Skip(1).Select(e => e.Pid));
        Assert.Equal(tasks.Select(t => Convert.ToHexString(t.Comm.TakeWhile(b => b != 0).ToArray())), run.Events.Skip(1).Select(e => Convert.ToHexString(e.Comm)));
        Assert.All(run.Events.Skip(1), e => Assert.Equal(Registers | Task, e.Parts & (Registers | Task)));

        // A value of a name is a text, and so has room for fifteen bytes behind which a NUL would stand.
        Assert.Equal(
            ["", .. tasks.Select(t => Convert.ToHexString(t.Comm.TakeWhile(b => b != 0).Take(15).ToArray()))],
            run.Events.Select(e => Convert.ToHexString(e.Arguments![1] is byte[] bytes ? bytes : Encoding.UTF8.GetBytes((string)e.Arguments[1]!))));
    }

    [Fact]
    public void Calls_are_told_apart_by_the_structure_of_the_task_that_runs()
    {
        // The third task runs at last, as its structure's address says.
        ulong current = 0;
        RecordedGuest.Run(
            SmallLinux.Build([(1, new byte[16]), (2, new byte[16]), (3, new byte[16])]),
            new RecordingOptions { Image = "", Probes = ["p:fn fn"] },
            progress: recorder =>
            {
                GuestSession session = recorder.Session;
                current = new ProbedProcessors(session.Machine.Processors, session.Linux, session.KernelMemory).CurrentTask;
            });

        Assert.Equal(SmallKernel.Data + 0x200, current);
    }

    [Fact]
    public void Hits_of_one_task_follow_another_and_the_same_again()
    {
        byte[] one = "one\0\0\0\0\0\0\0\0\0\0\0\0\0"u8.ToArray();
        byte[] two = "two\0\0\0\0\0\0\0\0\0\0\0\0\0"u8.ToArray();
        (int, byte[])[] tasks = [(1, one), (2, two), (1, one), (1, two), (2, two), (2, two)];

        RecordedGuest run = RecordedGuest.Run(SmallLinux.Build(tasks), new RecordingOptions { Image = "", Probes = ["p:fn fn", "r:back fn"] });

        string[] expected = ["0", "1one", "2two", "1one", "1two", "2two", "2two"];
        foreach (int kind in new[] { 0, 1, 3 })
        {
            Assert.Equal(expected, run.Events.Where(e => e.Kind == kind).Select(e => e.Pid + Encoding.ASCII.GetString(e.Comm)));
        }
    }

    [Theory]
    [InlineData("common_pid == 2", 3)]
    [InlineData("comm == 'two'", 4)]
    [InlineData("comm == 'tw'", 0)]
    public void Filter_on_the_task_leaves_out_the_post_events_of_others(string filter, int hits)
    {
        byte[] one = "one\0garbage\0\0\0\0\0"u8.ToArray();
        byte[] two = "two\0garbage\0\0\0\0\0"u8.ToArray();
        (int, byte[])[] tasks = [(1, one), (2, two), (1, one), (1, two), (2, two), (2, two)];

        RecordedGuest run = RecordedGuest.Run(SmallLinux.Build(tasks), new RecordingOptions { Image = "", Probes = ["p:fn fn"], Filters = ["fn: " + filter] });

        Assert.Equal((hits, hits), (run.Events.Count(e => e.Kind == 0), run.Events.Count(e => e.Kind == 1)));
    }

    [Fact]
    public void Header_names_the_kernel_what_it_was_given_and_memory()
    {
        byte[] initrd = [.. "070701"u8, .. new byte[250]];
        RecordedGuest run = RecordedGuest.Run(
            SmallLinux.Build([(1, new byte[16])]),
            new RecordingOptions { Image = "", Probes = ["p:fn fn"], Load = new() { Initrd = initrd, CommandLine = "quiet x=1" } });

        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(initrd)), run.Trace.Header["initrd_sha256"]);
        Assert.Equal("quiet x=1", run.Trace.Header["command_line"]);
        Assert.Equal(("6.1.0-small", "vmlinux", (Int128)(32 << 20)), (run.Trace.Header["kernel"], run.Trace.Header["image"], run.Trace.Header["memory"]));
        Assert.Equal((Int128)1, run.Trace.Header["cpus"]);
    }
}
