using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;
using KprobeTrace.Kprobes;
using KprobeTrace.Recording;
using KprobeTrace.Tracing;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Recording;

/// <summary>Events of a guest of two processors, of which the test runs the second while the first stands still.</summary>
public sealed unsafe class SeveralProcessorsRecordingTests
{
    private const ulong Elements = 0x2_0000;
    private const ulong BootTables = KprobeTrace.Loaders.BootLayout.PageTables;
    private const ulong OtherTables = 0x280_0000;

    /// <summary>The first processor is stopped in the middle of the probed instruction; the second meets the probe meanwhile.</summary>
    [Theory]
    [InlineData("", "0 pre, 1 pre, 1 post of 2, 0 post of 1")]
    [InlineData("c > 100", "0 pre, 0 post of 1")]
    [InlineData("c < 100", "1 pre, 1 post of 1")]
    [InlineData("CPU == 1", "1 pre, 1 post of 1")]
    [InlineData("n == 1", "1 pre, 1 post of 1")]
    public void Events_tell_the_processor_and_belong_together_by_it(string filter, string expected)
    {
        FlatGuest guest = new();
        guest.Code.mov(edi, 0x300_0000);
        guest.Code.mov(ecx, (int)Elements);
        guest.Mark("fill").Code.rep.stosb();
        guest.Mark("end").Exit();

        RecordedGuest run = RecordedGuest.Run(
            guest,
            new RecordingOptions { Image = "", Probes = ["p:f fill c=%cx n=$cpu"], Filters = filter.Length > 0 ? [$"f: {filter}"] : [], ProcessorCount = 2 },
            static recorder => recorder.Session.Kprobes.RegisterKprobe(new Kprobe { SymbolName = "fill", PreHandler = (_, ref _) => StopTheFirst(recorder) }),
            static recorder => RunTheSecondAndTheFirstToItsEnd(recorder.Session.Machine.Processors));

        Assert.Equal(expected, string.Join(", ", run.Events.Select(static e => $"{e["cpu"]} {(TraceEventKind)e.Kind}{(e.Entry > 0 ? $" of {e.Entry}" : "")}".ToLowerInvariant())));
        Assert.All(run.Events, static e => Assert.Equal(e["cpu"] == 0 ? BootTables : OtherTables, e["cr3"]));
    }

    private static int StopTheFirst(Recorder recorder)
    {
        if (recorder.Session.Cpu == 0)
        {
            recorder.Session.Stop();
        }

        return 0;
    }

    private static void RunTheSecondAndTheFirstToItsEnd(ProcessorGroup processors)
    {
        Processor first = processors[0];
        Processor second = processors[1];
        Assert.InRange(first.State->R[Registers.Rcx], 1UL, Elements - 1);
        processors.RequestStop(false);
        byte[] state = new byte[Processor.StateBytes];
        first.SaveState(state);
        second.LoadState(state);
        second.State->StoppedRepeats = StoppedRepeats.None;
        second.State->R[Registers.Rcx] = 5;

        // The same mappings by tables of its own.
        byte[] root = new byte[0x1000];
        Assert.True(processors.Memory.TryRead(BootTables, root) && processors.Memory.TryWrite(OtherTables, root));
        second.State->Cr3 = OtherTables;
        second.FlushTranslations();
        second.Run(second.Retired + 1);
        first.Run(first.Retired + 1);
    }
}
