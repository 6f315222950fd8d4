using KprobeTrace.Loaders;
using KprobeTrace.Machine;
using KprobeTrace.Tests.Recording;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Machine;

/// <summary>Runs of a machine: how far they go, how they end, and that an end is final.</summary>
public sealed class GuestMachineTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(1000)]
    public void Limit_is_that_of_all_instructions_so_far(long limit)
    {
        using GuestMachine machine = Build(Endless());

        Assert.Equal((PowerState.Stopped, PowerState.Running, limit), (machine.Run(limit), machine.Power, machine.Retired));
        Assert.Equal((PowerState.Stopped, limit + 1), (machine.Run(limit + 1), machine.Retired));
        Assert.Equal((PowerState.Stopped, limit + 1), (machine.Run(limit), machine.Retired));
        Assert.Equal(machine.Retired, machine.Now);
    }

    [Fact]
    public void Stop_before_a_run_ends_it_before_its_first_instruction_and_the_next_one_runs()
    {
        using GuestMachine machine = Build(Endless());

        machine.Stop();

        Assert.Equal((PowerState.Stopped, 0L), (machine.Run(100), machine.Retired));
        Assert.Equal((PowerState.Stopped, 100L), (machine.Run(100), machine.Retired));
    }

    [Fact]
    public void Nothing_runs_behind_the_instruction_that_ends_the_guest()
    {
        FlatGuest guest = new();
        guest.Exit(7);
        guest.Exit(8);
        using GuestMachine machine = Build(guest);

        Assert.Equal((PowerState.Exited, 7u, 2L), (machine.Run(), machine.ExitValue, machine.Retired));
        Assert.False(machine.Processors.Bootstrap.StopRequested);
        Assert.Equal((PowerState.Exited, 7u, 2L), (machine.Run(), machine.ExitValue, machine.Retired));
    }

    [Theory]
    [InlineData("halt", PowerState.Halted)]
    [InlineData("fault", PowerState.TripleFault)]
    [InlineData("fault in its own handler", PowerState.Stuck)]
    public void Guest_that_can_go_on_no_more_never_does(string how, PowerState state)
    {
        FlatGuest guest = new();
        guest.Code.cli();
        if (how == "halt")
        {
            guest.Code.hlt();
        }
        else
        {
            guest.Code.mov(rsp, 0x300_0000);
            _ = state == PowerState.Stuck ? guest.Handle(6, "here") : guest;
            guest.Mark("here").Code.ud2();
        }

        using GuestMachine machine = Build(guest);

        Assert.Equal((state, state), (machine.Run(), machine.Power));
        long retired = machine.Retired;
        Assert.Equal((state, retired, 0u), (machine.Run(), machine.Retired, machine.ExitValue));
    }

    [Fact]
    public void Interrupt_of_a_timer_wakes_a_processor_that_waits()
    {
        FlatGuest guest = new();
        guest.Code.mov(rsp, 0x70_0000);
        guest.Handle(0x20, "tick");
        Out(guest, 0x20, 0x11);
        Out(guest, 0x21, 0x20);
        Out(guest, 0x21, 4);
        Out(guest, 0x21, 1);
        Out(guest, 0x21, 0xFE);
        Out(guest, 0x43, 0x30);
        Out(guest, 0x40, 0xA9);
        Out(guest, 0x40, 4);
        guest.Code.sti();
        guest.Mark("wait").Code.hlt();
        guest.Code.jmp(guest.At("wait"));
        guest.Mark("tick");
        guest.Exit(9);
        using GuestMachine machine = Build(guest);

        Assert.Equal((PowerState.Exited, 9u), (machine.Run(1_000_000), machine.ExitValue));
        Assert.InRange(machine.Now, 999_000, 1_010_000);
        Assert.InRange(machine.Retired, 1, 200);
    }

    [Fact]
    public void Console_gets_what_the_guest_sends_and_the_guest_what_the_host_sends()
    {
        FlatGuest guest = new();
        guest.Print("ok"u8);
        guest.Code.@in(al, dx);
        guest.Code.@out(0xF4, al);
        List<byte> console = [];
        using GuestMachine machine = Build(guest, console.Add);
        Assert.Equal(1, machine.Serial.Receive("!"u8));

        Assert.Equal((PowerState.Exited, (uint)'!'), (machine.Run(), machine.ExitValue));
        Assert.Equal("ok"u8, [.. console]);
    }

    private static FlatGuest Endless()
    {
        FlatGuest guest = new();
        guest.Mark("loop").Code.jmp(guest.At("loop"));
        return guest;
    }

    private static void Out(FlatGuest guest, byte port, byte value)
    {
        guest.Code.mov(al, value);
        guest.Code.@out(port, al);
    }

    private static GuestMachine Build(FlatGuest guest, Action<byte>? console = null) => MachineBuilder.Build(
        ImageLoader.Load("flat.bin", guest.Assemble(), new ImageLoadOptions { MemorySize = 64 << 20, LoadAddress = FlatGuest.Load }), console ?? (_ => { }));
}
