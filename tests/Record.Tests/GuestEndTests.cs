using KprobeTrace.Machine;
using KprobeTrace.Record;
using KprobeTrace.Recording;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>The exit status and the words for each way in which a guest can end.</summary>
public sealed class GuestEndTests
{
    private static readonly (PowerState State, StopCause Cause, bool Crashed, long Exit, int Status, string Words)[] _ends =
    [
        (PowerState.PoweredOff, StopCause.None, false, 0, 0, "the guest powered off"),
        (PowerState.PoweredOff, StopCause.None, true, 0, 3, "the guest powered off"),
        (PowerState.Halted, StopCause.None, false, 0, 0, "the guest halted for good"),
        (PowerState.Halted, StopCause.None, true, 0, 3, "the guest halted for good"),
        (PowerState.Reset, StopCause.None, false, 0, 0, "the guest reset"),
        (PowerState.Reset, StopCause.None, true, 0, 3, "the guest panicked and reset"),
        (PowerState.TripleFault, StopCause.None, true, 0, 3, "the guest crashed with a triple fault"),
        (PowerState.Stuck, StopCause.None, false, 0, 3, "the guest is stuck at here, busy without retiring an instruction,"),
        (PowerState.Exited, StopCause.None, false, 0, 0, "the guest exited with 0"),
        (PowerState.Exited, StopCause.None, false, 1, 3, "the guest exited with 1"),
        (PowerState.Exited, StopCause.None, false, 0xFFFFFFFF, 3, "the guest exited with 4294967295"),
        (PowerState.Exited, StopCause.None, true, 0, 3, "the guest exited with 0"),
        (PowerState.Stopped, StopCause.MaxInstructions, false, 0, 4, "stopped by --max-instructions"),
        (PowerState.Stopped, StopCause.MaxEvents, false, 0, 4, "stopped by --max-events"),
        (PowerState.Stopped, StopCause.Timeout, false, 0, 4, "stopped by --timeout"),
        (PowerState.Stopped, StopCause.Timeout, true, 0, 3, "stopped by --timeout"),
        (PowerState.Stopped, StopCause.Interrupted, false, 0, 0, "interrupted"),
        (PowerState.Stopped, StopCause.Interrupted, false, 7, 0, "interrupted"),
    ];

    [Fact]
    public void Each_end_has_its_status_and_its_words() => Assert.All(_ends, static end =>
    {
        GuestEnd guest = new(RunEnding.Name(end.State, end.Cause), end.Crashed, end.Exit, "here");
        Assert.Equal((end.Status, end.Words), ((int)guest.Status, guest.ToString()));
    });

    [Fact]
    public void The_table_holds_every_state_and_cause_that_ends_a_run()
    {
        Assert.Equal(Enum.GetValues<PowerState>().Except([PowerState.Running]).Order(), _ends.Select(static e => e.State).Distinct().Order());
        Assert.Equal(Enum.GetValues<StopCause>().Order(), _ends.Select(static e => e.Cause).Distinct().Order());
    }
}
