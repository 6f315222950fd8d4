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
            new RecordingOptions { Image = "", Probes = ["p:here here"], Kinds = EventKinds.Pre, MaxInstructions = Before + 100_000 },
            static recorder =>
            {
                CpuState* s = recorder.Session.Machine.Processor.State;
                s->Deadline += Before;
                s->IdleTime += Idle;
            });

        PlainEvent e = Assert.Single(run.Events);
        Assert.InRange((long)e.Instructions, Before + 1, Before + 100);
        Assert.InRange((long)e.Time, Before + Idle + 1, Before + Idle + 100);
        object?[] line = Assert.Single(run.Trace.ConsoleLines);
        Assert.Contains(line, value => Number(value) is > Before and < Before + 100);
        Assert.Contains(line, value => Number(value) is > Before + Idle and < Before + Idle + 100);
        Assert.InRange((long)Number(run.Trace.Footer["insn"]), Before + 1, Before + 100);
        Assert.InRange((long)Number(run.Trace.Footer["time_ns"]), Before + Idle + 1, Before + Idle + 100);
    }

    private static ulong Number(object? value) => value is Int128 number ? (ulong)number : 0;
}
