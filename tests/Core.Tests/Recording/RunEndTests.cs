using KprobeTrace.Machine;
using KprobeTrace.Recording;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Recording;

/// <summary>Every way a guest can end, and what the recorder, the footer and the header say of it.</summary>
public sealed class RunEndTests
{
    private const long Slice = 1L << 26;

    /// <summary>What a guest does at last, what it prints before, and what that is.</summary>
    public static TheoryData<string, string, PowerState, string, bool> Ends => new()
    {
        { "power off", "", PowerState.PoweredOff, "poweroff", false },
        { "power off", "Kernel panic - not syncing: x\n", PowerState.PoweredOff, "poweroff", false },
        { "reset", "", PowerState.Reset, "reset", false },
        { "reset", "reboot: Restarting system\n", PowerState.Reset, "reset", false },
        { "reset", "Kernel panic - not syncing: x\n", PowerState.Reset, "reset", true },
        { "halt", "", PowerState.Halted, "halt", false },
        { "halt", "Kernel panic - not syncing: x\n", PowerState.Halted, "halt", false },
        { "triple fault", "", PowerState.TripleFault, "triple-fault", true },
        { "stuck", "", PowerState.Stuck, "stuck", false },
        { "exit 0", "", PowerState.Exited, "exit", false },
        { "exit 255", "", PowerState.Exited, "exit", false },
    };

    [Theory]
    [MemberData(nameof(Ends))]
    public void Guest_that_ends_by_itself(string how, string console, PowerState power, string ended, bool crashed)
    {
        FlatGuest guest = new();
        guest.Print(System.Text.Encoding.ASCII.GetBytes(console));
        guest.Code.mov(rsp, 0x70_0000);
        End(guest, how);

        RecordedGuest run = RecordedGuest.Run(guest, new RecordingOptions { Image = "", Probes = ["p:start start", "p:never never"] });

        Assert.Equal((power, ended, crashed), (run.End.Power, run.Trace.Footer["ended"], run.End.Crashed));
        Assert.Equal((Int128)(how == "exit 255" ? 255 : 0), run.Trace.Footer["exit_code"]);
        Assert.Equal(how == "stuck" ? $"0x{run.Addresses["handler"]:x} (handler+0x0)" : "", run.End.StuckAt);
        Assert.Equal(["never"], run.End.NeverFired);
        Assert.Equal(run.File.Length, run.End.Bytes);
        Assert.Empty(run.End.Refused);
        Assert.Equal(1, run.End.EventsByKind[0]);
        Assert.Equal(console, System.Text.Encoding.ASCII.GetString(run.Console));
        Assert.Equal(console.Length == 0 ? [] : [console.TrimEnd()], run.Trace.ConsoleLines.Select(row => System.Text.Encoding.ASCII.GetString((byte[])row[2]!)));
    }

    /// <summary>Limits around one slice of a run, after which the recorder looks at the outside world, and the least there is.</summary>
    public static TheoryData<long> Limits => [1, 2, 1000, Slice - 1, Slice, Slice + 1, (2 * Slice) + 1];

    [Theory]
    [MemberData(nameof(Limits))]
    public void Guest_that_never_ends_runs_exactly_as_many_instructions_as_asked_for(long limit)
    {
        RecordedGuest run = RecordedGuest.Run(Endless(), new RecordingOptions { Image = "", Probes = ["p:start start"], MaxInstructions = limit });

        Assert.Equal((PowerState.Stopped, "max-instructions", false), (run.End.Power, run.Trace.Footer["ended"], run.End.Crashed));
        Assert.Equal((Int128)limit, run.Trace.Footer["insn"]);
        Assert.Equal($"{limit}", Options(run)["max-instructions"]);
    }

    [Theory]
    [InlineData(2, "max-instructions")]
    [InlineData(3, "exit")]
    [InlineData(4, "exit")]
    public void Guest_that_ends_with_its_last_instruction_has_met_no_limit(long limit, string ended)
    {
        FlatGuest guest = new();
        guest.Code.nop();
        guest.Exit();

        RecordedGuest run = RecordedGuest.Run(guest, new RecordingOptions { Image = "", Probes = ["p 0x100000"], MaxInstructions = limit });

        Assert.Equal(ended, run.Trace.Footer["ended"]);
    }

    [Theory]
    [InlineData(StopCause.Timeout, "timeout")]
    [InlineData(StopCause.Interrupted, "interrupted")]
    [InlineData(StopCause.MaxEvents, "max-events")]
    public void Guest_that_is_stopped_from_outside_ends_for_that_cause(StopCause cause, string ended)
    {
        int looks = 0;
        RecordedGuest run = RecordedGuest.Run(
            Endless(),
            new RecordingOptions { Image = "", Probes = ["p:start start"], MaxInstructions = 4 * Slice },
            progress: recorder =>
            {
                if (++looks == 2)
                {
                    recorder.Stop(cause);
                }
            });

        Assert.Equal((PowerState.Stopped, ended, false), (run.End.Power, run.Trace.Footer["ended"], run.End.Crashed));
        Assert.Equal((2, (Int128)(2 * Slice)), (looks, run.Trace.Footer["insn"]));
    }

    [Theory]
    [InlineData(PowerState.PoweredOff, StopCause.Timeout, "poweroff")]
    [InlineData(PowerState.Halted, StopCause.None, "halt")]
    [InlineData(PowerState.Stuck, StopCause.MaxEvents, "stuck")]
    [InlineData(PowerState.Stopped, StopCause.None, "interrupted")]
    [InlineData(PowerState.Stopped, StopCause.Interrupted, "interrupted")]
    [InlineData(PowerState.Stopped, StopCause.Timeout, "timeout")]
    [InlineData(PowerState.Stopped, StopCause.MaxEvents, "max-events")]
    [InlineData(PowerState.Stopped, StopCause.MaxInstructions, "max-instructions")]
    public void What_the_machine_did_comes_before_what_the_host_wanted(PowerState state, StopCause cause, string name)
    {
        Assert.Equal(name, RunEnding.Name(state, cause));
        Assert.Equal(name is "timeout" or "max-events" or "max-instructions", RunEnding.IsLimit(name));
    }

    [Theory]
    [InlineData(EventKinds.All, null)]
    [InlineData(EventKinds.None, "")]
    [InlineData(EventKinds.Pre, "pre")]
    [InlineData(EventKinds.Post, "post")]
    [InlineData(EventKinds.Fault, "fault")]
    [InlineData(EventKinds.Return, "ret")]
    [InlineData(EventKinds.Pre | EventKinds.Return, "pre,ret")]
    [InlineData(EventKinds.Post | EventKinds.Fault, "post,fault")]
    public void Header_names_the_kinds_unless_they_are_all(EventKinds kinds, string? named)
    {
        FlatGuest guest = new();
        guest.Exit();

        RecordedGuest run = RecordedGuest.Run(guest, new RecordingOptions { Image = "", Probes = ["p 0x100000"], Kinds = kinds, MaxEvents = 9, Producer = "me 1" });

        Assert.Equal(named, Options(run).GetValueOrDefault("kinds"));
        Assert.Equal("9", Options(run)["max-events"]);
        Assert.False(Options(run).ContainsKey("max-instructions"));
        Assert.Equal(("me 1", "flat.bin", "", (Int128)RecordedGuest.Memory), (run.Trace.Header["producer"], run.Trace.Header["image"], run.Trace.Header["initrd_sha256"], run.Trace.Header["memory"]));
    }

    private static Dictionary<object, object?> Options(RecordedGuest run) => (Dictionary<object, object?>)run.Trace.Header["options"]!;

    private static FlatGuest Endless()
    {
        FlatGuest guest = new();
        guest.Mark("start").Code.nop();
        guest.Mark("loop").Code.jmp(guest.At("loop"));
        return guest;
    }

    private static void End(FlatGuest guest, string how)
    {
        if (how == "stuck")
        {
            // Every delivery takes 40 bytes of stack, and a million of them are given before the guest counts as stuck.
            guest.Code.mov(rsp, 0x3F0_0000);
            guest.Handle(6, "handler");
        }

        guest.Mark("start").Code.cli();
        switch (how)
        {
            case "power off":
                guest.Code.mov(dx, 0x604);
                guest.Code.mov(ax, (1 << 13) | (5 << 10));
                guest.Code.@out(dx, ax);
                break;
            case "reset":
                guest.Code.mov(dx, 0xCF9);
                guest.Code.mov(al, 6);
                guest.Code.@out(dx, al);
                break;
            case "halt":
                guest.Code.hlt();
                break;
            case "exit 0" or "exit 255":
                guest.Exit(how == "exit 0" ? (byte)0 : (byte)255);
                break;
            default:
                guest.Code.ud2();
                break;
        }

        guest.Mark("never").Code.nop();
        guest.Mark("handler").Code.ud2();
    }
}
