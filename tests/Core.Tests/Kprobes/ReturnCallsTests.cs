using System.Buffers.Binary;
using KprobeTrace.Cpu;
using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>What is held of the calls that return probes wait for, however long a guest runs and whatever its stacks.</summary>
public sealed unsafe class ReturnCallsTests : IDisposable
{
    private const ulong Stacks = 0xFFFF_C900_0000_0000;
    private const ulong StackSize = 0x4000;

    private readonly SyntheticGuest _guest = new();
    private readonly Kretprobe _probe = new();
    private readonly BreakpointMap _breakpoints;
    private readonly ReturnCalls _calls;
    private readonly ulong _returnAddress;

    public ReturnCallsTests()
    {
        _returnAddress = _guest["callrel"] + 5;
        AnyStack memory = new(_guest.Context, _returnAddress);
        _breakpoints = new BreakpointMap(_guest.View, memory);
        _calls = new ReturnCalls(_breakpoints, new InstructionBoundary(new DecoderLength(), memory, _guest.Text), memory, _guest.Text);
    }

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void Stacks_of_tasks_that_came_and_went_are_forgotten()
    {
        for (ulong task = 0; task < 100_000; task++)
        {
            Enter(Stacks + (task * StackSize) + 0x3000);
            Return(Stacks + (task * StackSize) + 0x3000);
        }

        Assert.Equal(100_000UL, _probe.Returns);
        Assert.Equal(0, _probe.Open);
        Assert.InRange(_calls.StackCount, 1, 2048);
    }

    [Fact]
    public void A_call_that_is_open_while_others_come_and_go_is_kept()
    {
        Enter(Stacks + 0x3000);
        for (ulong task = 1; task < 10_000; task++)
        {
            Enter(Stacks + (task * StackSize) + 0x3000);
            Return(Stacks + (task * StackSize) + 0x3000);
        }

        Return(Stacks + 0x3000);

        Assert.Equal(10_000UL, _probe.Returns);
        Assert.Equal(0, _probe.Open);
    }

    [Fact]
    public void Calls_that_never_return_are_followed_up_to_a_limit_and_counted_as_missed_beyond()
    {
        const ulong PerStack = StackSize / 8;
        for (ulong call = 0; call < ReturnCalls.MaxOpen + 100; call++)
        {
            Enter(Stacks + (call / PerStack * StackSize) + StackSize - 8 - (call % PerStack * 8));
        }

        Assert.Equal(ReturnCalls.MaxOpen, _probe.Open);
        Assert.Equal(100UL, _probe.NMissed);

        // An entry shows that those below it on its stack are over, and so makes room for itself.
        Enter(Stacks + StackSize - 8);

        Assert.Equal(ReturnCalls.MaxOpen - ((int)PerStack - 1) + 1, _probe.Open);
        Assert.Equal(100UL, _probe.NMissed);

        _calls.DropTask(_guest.Context.CurrentTask);
        Enter(Stacks + 0x3000);

        Assert.Equal(1, _probe.Open);
        Assert.Equal(100UL, _probe.NMissed);
    }

    [Fact]
    public void A_call_that_its_entry_handler_declines_leaves_nothing_behind()
    {
        _probe.EntryHandler = static (_, ref _) => 1;
        Enter(Stacks + 0x3000);
        long before = GC.GetAllocatedBytesForCurrentThread();

        for (int i = 0; i < 10_000; i++)
        {
            Enter(Stacks + 0x3000);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 9_999);
        Assert.Equal(0, _probe.Open);
    }

    /// <summary>How far above its slot the stack pointer is after the return, and whether the function's returns move it so far.</summary>
    [Theory]
    [InlineData(0, true)]
    [InlineData(8, false)]
    [InlineData(0x10, false)]
    [InlineData(0x108, false)]
    [InlineData(0x110, true)]
    [InlineData(0x3EF0, true)]
    [InlineData(-8, false)]
    public void Return_is_that_of_a_call_where_the_stack_pointer_is_as_far_above_as_a_return_of_the_function_moves_it(int above, bool returns)
    {
        _probe.ReturnImmediates = [0x110, 0x3EF0];
        const ulong slot = Stacks + 0x10_0100;
        Enter(slot);

        Return(slot + (ulong)(long)above);

        Assert.Equal((returns ? 1ul : 0, returns ? 0 : 1), (_probe.Returns, _probe.Open));
    }

    /// <summary>The first and the last word of a stack, and of the one behind it.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    [InlineData(StackSize - 8)]
    [InlineData(StackSize)]
    public void Return_is_looked_for_on_the_stack_that_holds_its_slot(ulong at)
    {
        Enter(Stacks + at);
        Enter(Stacks + at + 0x10_0000);

        Return(Stacks + at);

        Assert.Equal((1UL, 1, 0UL), (_probe.Returns, _probe.Open, _probe.Abandoned));
    }

    [Fact]
    public void Stacks_are_kept_until_there_are_twice_as_many_as_have_calls()
    {
        for (ulong task = 0; task < 1500; task++)
        {
            Enter(Stacks + (task * StackSize));
        }

        for (ulong task = 1500; task < 2000; task++)
        {
            Enter(Stacks + (task * StackSize));
            Return(Stacks + (task * StackSize));
        }

        Assert.Equal((2000, 1500), (_calls.StackCount, _probe.Open));
        _calls.DropTask(_guest.Context.CurrentTask);
        Assert.Equal((0, 1500UL), (_probe.Open, _probe.Abandoned));
    }

    [Fact]
    public void Return_past_calls_within_gives_them_up_and_is_told_all_the_same()
    {
        Enter(Stacks + 0x3000);
        Enter(Stacks + 0x2000);
        Enter(Stacks + 0x1000);

        Return(Stacks + 0x3000);

        Assert.Equal((1UL, 2UL, 0), (_probe.Returns, _probe.Abandoned, _probe.Open));
    }

    private void Enter(ulong stackPointer)
    {
        PtRegs registers = default;
        registers.Sp = stackPointer;
        _calls.Enter(_probe, &registers);
    }

    private void Return(ulong stackPointer)
    {
        PtRegs registers = default;
        registers.Ip = _returnAddress;
        registers.Sp = stackPointer + 8;
        _calls.Return(_breakpoints.At(_returnAddress), &registers);
    }

    /// <summary>The guest's memory, and stacks without end that hold one return address everywhere.</summary>
    private sealed class AnyStack(IProbedGuest guest, ulong returnAddress) : IProbedGuest
    {
        public ulong CurrentTask => guest.CurrentTask;

        public ulong RetiredInstructions => guest.RetiredInstructions;

        public int CpuCount => guest.CpuCount;

        public bool TryReadKernel(ulong address, Span<byte> destination)
        {
            if (address - Stacks >= 1UL << 44)
            {
                return guest.TryReadKernel(address, destination);
            }

            BinaryPrimitives.WriteUInt64LittleEndian(destination, returnAddress);
            return true;
        }
    }
}
