using KprobeTrace.Cpu.State;
using KprobeTrace.Recording;
using KprobeTrace.Tests.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Recording;

/// <summary>A guest that has run for hours: its clock and its count of instructions have outgrown 32 bits.</summary>
public sealed unsafe class LongRunTests
{
    private const long Before = 0x5_0000_0000;
    private const long Idle = 0x23_0000_0000;

    [Fact]
    public void Times_and_counts_are_whole_everywhere_in_a_trace()
    {
        FlatGuest guest = new();
        guest.Print("late\n"u8);
        guest.Mark("here").Code.nop();
        guest.Exit();

        RecordedGuest run = RecordedGuest.Run(
            guest,
            new RecordingOptions { Image = "", Probes = ["p:here here n=$insn"], Kinds = EventKinds.Pre, MaxInstructions = Before + 100_000 },
            Age);

        PlainEvent e = Assert.Single(run.Events);
        Assert.InRange((long)e.Instructions, Before + 1, Before + 100);
        Assert.InRange((long)e.Time, Before + Idle + 1, Before + Idle + 100);
        Assert.Equal([(Int128)e.Instructions], e.Arguments!);
        object?[] line = Assert.Single(run.Trace.ConsoleLines);
        Assert.Contains(line, value => Number(value) is > Before and < Before + 100);
        Assert.Contains(line, value => Number(value) is > Before + Idle and < Before + Idle + 100);
        Assert.InRange((long)Number(run.Trace.Footer["insn"]), Before + 1, Before + 100);
        Assert.InRange((long)Number(run.Trace.Footer["time_ns"]), Before + Idle + 1, Before + Idle + 100);
    }

    [Fact]
    public void Calls_notes_and_changes_of_code_have_whole_times_too()
    {
        SmallModule module = new("tmod", SmallKernel.Modules, SmallKernel.Modules + 0x1000);

        RecordedGuest run = RecordedGuest.Run(
            new ModuleLinux().Load(module).Call(module.Core).Build(),
            new RecordingOptions { Image = "", Probes = ["p:in tmod:tmod_fn", "r:back tmod:tmod_fn", "p:bad nosuch"], SkipRefused = true, MaxInstructions = Before + 100_000 },
            Age);

        PlainEvent entry = run.Events.Single(e => e.Kind == 0);
        PlainEvent back = run.Events.Single(e => e.Kind == 3);
        Assert.Equal((entry.Time, entry.Time + 3), (back.EntryTime, back.Time));
        Assert.InRange((long)back.EntryTime, Before + Idle + 1, Before + Idle + 200);

        // The refusal; module, probes, init text.
        Assert.Equal(5, run.Trace.Notes.Count);
        Assert.Equal((Int128)Before, run.Trace.Notes[0][2]);
        Assert.All(run.Trace.Notes, row => Assert.InRange((long)Number(row[2]), Before, Before + 200));
        Assert.All(run.Trace.Notes, row => Assert.Equal(Number(row[2]) + Idle, Number(row[1])));
        object?[] armed = Assert.Single(run.Trace.CodeChanges);
        Assert.InRange((long)Number(armed[1]), Before + 1, Before + 200);
        Assert.Equal(Number(armed[1]) + Idle, Number(armed[0]));
    }

    [Fact]
    public void Events_reach_the_file_though_none_follow()
    {
        // What is pending is written at multiples of 2^28 instructions; the guest's age is such that it need not run as many.
        const long slice = 1 << 26;
        FlatGuest guest = new();
        guest.Mark("start").Code.nop();
        guest.Mark("loop").Code.jmp(guest.At("loop"));
        DirectoryInfo folder = Directory.CreateTempSubdirectory("long-run-");
        string output = Path.Combine(folder.FullName, "trace.mpk");
        List<long> lengths = [];
        try
        {
            using Recorder recorder = RecordedGuest.Open(
                guest, new RecordingOptions { Image = "", Probes = ["p:start start"], Output = output, MaxInstructions = Before + (6 * slice) });
            CpuState* s = recorder.Session.Machine.Processors.Bootstrap.State;
            s->Deadline += Before + slice - 1000;

            recorder.Run(() =>
            {
                lengths.Add(new FileInfo(output).Length);
                s->Deadline += (5 * slice) - 1000;
            });
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        Assert.Equal(2, lengths.Count);
        Assert.True(lengths[1] > lengths[0], "the event is not in the file yet");
    }

    private static void Age(Recorder recorder)
    {
        CpuState* s = recorder.Session.Machine.Processors.Bootstrap.State;
        s->Deadline += Before;
        s->IdleTime += Idle;
    }

    private static ulong Number(object? value) => value is Int128 number ? (ulong)number : 0;
}
