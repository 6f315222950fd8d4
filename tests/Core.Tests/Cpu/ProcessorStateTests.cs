using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Cpu;

/// <summary>What a processor is stands in its state, all of it and nowhere else.</summary>
public sealed unsafe class ProcessorStateTests
{
    [Fact]
    public void A_processor_goes_on_from_the_state_of_another_after_each_instruction()
    {
        (string end, long retired) = RunThrough(MixedProgram.Create());
        for (long at = 0; at <= retired; at++)
        {
            using TestGuest first = MixedProgram.Create();
            first.Processor.Run(at);
            using TestGuest second = new();
            Hand(first, second);

            Assert.Equal((at, end, retired), (at, MixedProgramEnd(second), second.Processor.Retired));
            Assert.Equal((at, end, retired), (at, MixedProgramEnd(first), first.Processor.Retired));
        }
    }

    /// <remarks>The state is filled with noise, so that what reset leaves alone shows.</remarks>
    [Theory]
    [InlineData(0x00)]
    [InlineData(0x5A)]
    [InlineData(0xFF)]
    public void Reset_makes_a_new_processor_of_any(byte noise)
    {
        using TestGuest old = new();
        HostLinks host = old.State->Host;
        new Span<byte>(old.State, sizeof(CpuState)).Fill(noise);
        old.State->Host = host;
        old.Processor.UpdateBreakpoints();

        old.Processor.Reset();

        using TestGuest young = new();
        young.Processor.Reset();
        Assert.Equal(Bytes(young), Bytes(old));
        Assert.False(old.Processor.WatchesData || old.Processor.ShutDown || old.Processor.HaltedForGood || old.Processor.IsStuck);
    }

    [Fact]
    public void A_processor_that_shut_down_runs_after_reset()
    {
        using TestGuest guest = new();
        guest.State->IdtLimit = 0;
        guest.Write(TestGuest.Code, [0x0F, 0x0B]);
        guest.Processor.Run(10);
        Assert.True(guest.Processor.ShutDown);
        using TestGuest other = MixedProgram.Create();
        byte[] state = Bytes(other);

        guest.Processor.Reset();
        other.Memory.TryRead(0, Ram(guest));
        guest.Processor.LoadState(state);

        Assert.Equal(RunThrough(other), RunThrough(guest));
    }

    /// <remarks>The loop has no exit, so that the run loop goes round where the host's slices end and nowhere else.</remarks>
    [Fact]
    public void A_state_does_not_tell_in_how_many_pieces_the_host_has_run_it()
    {
        byte[][] states = [.. ((long[][])[[1000], [500, 1000], [1, 2, 999, 1000]]).Select(static slices =>
        {
            using TestGuest guest = new();
            guest.Assemble(TestGuest.Code, static a =>
            {
                a.inc(Iced.Intel.AssemblerRegisters.rbx);
                a.jmp(TestGuest.Code);
            });
            foreach (long until in slices)
            {
                guest.Processor.Run(until);
            }

            return Bytes(guest);
        })];

        Assert.Equal(states[0], states[1]);
        Assert.Equal(states[0], states[2]);
    }

    [Fact]
    public void A_non_maskable_interrupt_that_waits_is_part_of_the_state()
    {
        using TestGuest first = MixedProgram.Create();
        first.Processor.Run(5);
        first.Processor.RequestNmi();
        using TestGuest second = new();
        Hand(first, second);

        second.Processor.Run(6);

        Assert.Equal(TestGuest.Handlers + ((ulong)Vector.Nmi * 16), second.State->Rip & ~15ul);
        Assert.Equal((0, 1), (second.State->NmiPending, second.State->NmiBlocked));
    }

    [Theory]
    [InlineData("the register that is always zero", 1)]
    [InlineData("privilege", 4)]
    [InlineData("privilege", -1)]
    [InlineData("top of the x87 stack", 8)]
    [InlineData("top of the x87 stack", -1)]
    [InlineData("stopped repeats", StoppedRepeats.Most + 1)]
    [InlineData("stopped repeats", -1)]
    [InlineData("retired instructions", -1)]
    [InlineData("idle time", -1)]
    [InlineData("idle time", long.MaxValue)]
    public void State_that_no_processor_is_in_is_refused_and_changes_nothing(string what, long value)
    {
        using TestGuest other = MixedProgram.Create();
        _ = what switch
        {
            "the register that is always zero" => (long)(other.State->R[16] = (ulong)value),
            "privilege" => other.State->Cpl = (int)value,
            "top of the x87 stack" => other.State->FpuTop = (int)value,
            "stopped repeats" => other.State->StoppedRepeats.Count = (int)value,
            "retired instructions" => other.State->Deadline = other.State->Left + value,
            _ => other.State->IdleTime = value,
        };
        using TestGuest guest = MixedProgram.Create();
        byte[] before = Bytes(guest);

        KprobeTraceException refused = Assert.Throws<KprobeTraceException>(() => guest.Processor.LoadState(Bytes(other)));

        Assert.StartsWith("the saved state of the processor holds values that it never has", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, Bytes(guest));
    }

    /// <remarks>Else half of them would lie in two lines of the host's cache.</remarks>
    [Fact]
    public void Registers_of_sixteen_bytes_lie_on_sixteen_bytes()
    {
        using TestGuest guest = new();

        Assert.Equal(0, ((nint)guest.State->XmmRegisters - (nint)guest.State) % 16);
        Assert.Equal(0, ((nint)guest.State->FpuRegisters - (nint)guest.State) % 16);
        Assert.Equal(0, (nint)guest.State % 64);
    }

    /// <remarks>outside-state.tsv has each such field with the reason why nothing is lost with it.</remarks>
    [Fact]
    public void What_changes_outside_the_state_is_derived_from_it_or_ends_with_the_instruction()
    {
        string[] listed = [.. File.ReadLines(Repository.PathOf("tests/Core.Tests/Cpu/outside-state.tsv")).Where(static line => line.Length > 0 && line[0] != '#')
            .Select(static line => line.Split('\t') is [var field, { Length: > 10 }] ? field : line)];
        const System.Reflection.BindingFlags own = System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Public;

        Assert.Equal(
            listed.Order(StringComparer.Ordinal),
            typeof(Processor).GetFields(own)
                .Select(static f => f.Name.StartsWith('<') ? f.Name[1..f.Name.IndexOf('>', StringComparison.Ordinal)] : f.Name).Order(StringComparer.Ordinal));
    }

    private static void Hand(TestGuest from, TestGuest to)
    {
        Assert.True(from.Memory.TryRead(0, Ram(to)));
        foreach ((ushort port, uint value) in from.Bus.Ports)
        {
            to.Bus.Ports[port] = value;
        }

        to.Processor.LoadState(Bytes(from));
    }

    private static (string End, long Retired) RunThrough(TestGuest guest)
    {
        string end = MixedProgramEnd(guest);
        return (end, guest.Processor.Retired);
    }

    private static string MixedProgramEnd(TestGuest guest)
    {
        guest.Processor.Run(10_000);
        return MixedProgram.Describe(guest);
    }

    private static Span<byte> Ram(TestGuest guest) => new(guest.Memory.Base, (int)guest.Memory.Size);

    private static byte[] Bytes(TestGuest guest)
    {
        byte[] state = new byte[Processor.StateBytes];
        guest.Processor.SaveState(state);
        return state;
    }
}
