using System.Buffers.Binary;
using KprobeTrace.Cpu.State;
using KprobeTrace.Devices;
using KprobeTrace.Devices.Acpi;
using KprobeTrace.Loaders;
using KprobeTrace.Machine;
using KprobeTrace.Memory;
using KprobeTrace.Tests.Recording;
using Xunit;

namespace KprobeTrace.Tests.Machine;

/// <summary>A machine of two processors: each has a local APIC and a clock of its own, and what is sent to one arrives there.</summary>
public sealed unsafe class ProcessorBusTests : IDisposable
{
    private const ulong Apic = 0xFEE0_0000;
    private const ulong IoApic = 0xFEC0_0000;
    private const uint ApicBaseMsr = 0x1B;
    private const uint TscDeadlineMsr = 0x6E0;

    private readonly PhysicalMemory _memory = new(16 << 20);
    private readonly GuestMachine _machine;
    private readonly ProcessorBus _first;
    private readonly ProcessorBus _second;

    public ProcessorBusTests()
    {
        MachineBus bus = new(_memory, static _ => { }, processorCount: 2);
        _machine = new GuestMachine(_memory, bus);
        _first = bus.Processors[0];
        _second = bus.Processors[1];

        // As a kernel does when it brings a processor up: on, with its spurious vector.
        _second.WriteMmio(Apic + 0xF0, 0x1FF, 4);
    }

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void Each_processor_sees_its_own_APIC()
    {
        Assert.True(_first.TryReadMsr(ApicBaseMsr, out ulong first) && _second.TryReadMsr(ApicBaseMsr, out ulong second) && first == second + 0x100);
        Assert.Equal((0UL, 1UL), (_first.ReadMmio(Apic + 0x20, 4) >> 24, _second.ReadMmio(Apic + 0x20, 4) >> 24));

        _second.TaskPriority = 7;
        Assert.Equal((0U, 7U), (_first.TaskPriority, _second.TaskPriority));
        Assert.True(_second.TryWriteMsr(ApicBaseMsr, 0xFEA0_0800));
        Assert.Equal((0UL, 0xFFFF_FFFFUL), (_first.ReadMmio(Apic + 0x80, 4), _second.ReadMmio(Apic + 0x80, 4)));
        Assert.Equal((0xFFFF_FFFFUL, 0x70UL), (_first.ReadMmio(0xFEA0_0080, 4), _second.ReadMmio(0xFEA0_0080, 4)));
    }

    /// <param name="low">The command's lower half: what and, by its shorthand, to whom.</param>
    /// <param name="destination">The id it names.</param>
    /// <param name="arrives">Whether it arrives at the first and at the second processor.</param>
    [Theory]
    [InlineData(0x4041, 1, "no yes")]
    [InlineData(0x4041, 0, "yes no")]
    [InlineData(0x4041, 0xFF, "yes yes")]
    [InlineData(0x4041, 2, "no no")]
    [InlineData(0x4_4041, 1, "yes no")]
    [InlineData(0x8_4041, 1, "yes yes")]
    [InlineData(0xC_4041, 0, "no yes")]
    public void A_message_of_the_first_processor_arrives_where_it_is_sent(int low, int destination, string arrives)
    {
        _first.WriteMmio(Apic + 0x310, (ulong)destination << 24, 4);
        _first.WriteMmio(Apic + 0x300, (ulong)low, 4);

        Assert.Equal(arrives, Pending());
        foreach (ProcessorBus bus in (ProcessorBus[])[_first, _second])
        {
            Assert.Equal(bus.Apic.IsInterruptPending ? 0x41 : -1, bus.Apic.IsInterruptPending ? bus.AcknowledgeInterrupt() : -1);
        }
    }

    [Fact]
    public void A_message_that_is_no_vector_reaches_the_processor_it_is_sent_to()
    {
        Send(0x4400, 1);
        Assert.Equal((0, 1), (_machine.Processors[0].State->NmiPending, _machine.Processors[1].State->NmiPending));

        Send(0x4500, 1);
        Send(0x4608, 1);
        Assert.Equal(PowerState.Running, _machine.Power);
        Send(0x4500, 0);
        Assert.Equal(PowerState.Reset, _machine.Power);

        void Send(ulong low, ulong destination)
        {
            _second.WriteMmio(Apic + 0x310, destination << 24, 4);
            _second.WriteMmio(Apic + 0x300, low, 4);
        }
    }

    [Theory]
    [InlineData(0, "yes no")]
    [InlineData(1, "no yes")]
    public void An_interrupt_through_the_IO_APIC_arrives_at_its_destination(int destination, string arrives)
    {
        foreach ((int register, uint value) in new[] { (0x19, (uint)destination << 24), (0x18, 0x44U) })
        {
            _first.WriteMmio(IoApic, (ulong)register, 4);
            _second.WriteMmio(IoApic + 0x10, value, 4);
        }

        RaiseSerial();

        Assert.Equal(arrives, Pending());
    }

    /// <remarks>Its output is LINT0 of both, which firmware has let through at the first alone.</remarks>
    [Fact]
    public void An_interrupt_through_the_8259_pair_goes_to_whose_APIC_lets_it_through()
    {
        foreach ((ushort port, uint value) in new (ushort, uint)[] { (0x20, 0x11), (0x21, 0x20), (0x21, 4), (0x21, 1), (0x21, 0) })
        {
            _first.WritePort(port, value, 1);
        }

        RaiseSerial();
        Assert.Equal("yes no", Pending());

        _second.WriteMmio(Apic + 0x350, 0x700, 4);
        Assert.Equal("yes yes", Pending());
        Assert.Equal(0x24, _second.AcknowledgeInterrupt());
        Assert.Equal("no no", Pending());
    }

    [Fact]
    public void A_timer_of_a_processor_that_stands_still_falls_due_in_anothers_turn()
    {
        _second.OnTscOffset(1000);
        _second.WriteMmio(Apic + 0x320, 0x4_0030, 4);
        Assert.True(_second.TryWriteMsr(TscDeadlineMsr, 6000));
        Assert.Equal((5000L, 5000L), (_first.NextEvent, _second.NextEvent));

        _machine.Processors[0].State->IdleTime = 5000;
        _first.RunEvents();

        Assert.Equal("no yes", Pending());
    }

    [Fact]
    public void Each_processor_has_a_page_of_time()
    {
        _first.OnTscOffset(100);
        _second.OnTscOffset(7000);
        Assert.True(_first.TryWriteMsr(KvmClock.MsrSystemTime, 0x8001) && _second.TryWriteMsr(KvmClock.MsrSystemTime, 0x9001));

        Assert.Equal((100L, 7000L), (TimestampAt(0x8000), TimestampAt(0x9000)));
        Assert.True(_first.TryReadMsr(KvmClock.MsrSystemTime, out ulong at) && at == 0x8001);

        long TimestampAt(ulong page)
        {
            byte[] bytes = new byte[16];
            Assert.True(_memory.TryRead(page, bytes));
            return BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(8));
        }
    }

    [Fact]
    public void Firmware_names_all_processors_and_starts_the_first()
    {
        using GuestMachine machine = Built();
        byte[] tables = AcpiTables.Build(2);
        byte[] found = new byte[tables.Length];

        Assert.True(machine.Memory.TryRead(AcpiTables.BaseAddress, found));
        Assert.Equal(tables, found);
        Assert.Equal((FlatGuest.Load, 0xFFF0UL), (machine.Processors[0].State->Rip, machine.Processors[1].State->Rip));
        Assert.Equal(PowerState.Stopped, machine.Run(3));
        Assert.Equal((3L, 0L, 3L), (machine.Processors[0].Retired, machine.Processors[1].Retired, machine.Retired));
    }

    [Fact]
    public void A_saved_machine_has_every_processor_with_its_APIC_and_its_clock()
    {
        using GuestMachine machine = Built();
        machine.Run(5);
        for (int i = 0; i < 2; i++)
        {
            machine.Processors[i].State->R[Registers.Rbx] = 0x1000 + (ulong)i;
            machine.Processors[i].Bus.TaskPriority = (uint)i + 4;
            machine.Processors[i].Bus.OnTscOffset(50 + i);
        }

        using MemoryStream saved = new();
        machine.Save(saved);
        using GuestMachine other = Built();
        saved.Position = 0;
        other.Load(saved);

        for (int i = 0; i < 2; i++)
        {
            ProcessorBus bus = (ProcessorBus)other.Processors[i].Bus;
            Assert.Equal((0x1000 + (ulong)i, machine.Processors[i].State->Rip), (other.Processors[i].State->R[Registers.Rbx], other.Processors[i].State->Rip));
            Assert.Equal(((uint)i + 4, 50L + i, 50L + i, (byte)i), (bus.TaskPriority, bus.Apic.TscOffset, bus.Clock.TscOffset, bus.Apic.Id));
        }

        using MemoryStream again = new();
        other.Save(again);
        Assert.Equal(saved.ToArray(), again.ToArray());
        saved.Position = 0;
        using GuestMachine one = Built(processorCount: 1);
        Assert.Equal(
            "the saved state is that of a machine with 2 processors, and this one has 1",
            Assert.Throws<KprobeTraceException>(() => one.Load(saved)).Message);
    }

    private static GuestMachine Built(int processorCount = 2)
    {
        FlatGuest guest = new();
        guest.Mark("here").Code.jmp(guest.At("here"));
        ImageLoadOptions options = new() { MemorySize = 8 << 20, LoadAddress = FlatGuest.Load };
        return MachineBuilder.Build(ImageLoader.Load("flat.bin", guest.Assemble(), options), static _ => { }, processorCount);
    }

    private string Pending() => string.Join(' ', ((int[])[0, 1]).Select(i => _machine.Processors[i].State->InterruptPending != 0 ? "yes" : "no"));

    /// <summary>The serial port's transmitter is empty, and is to say so.</summary>
    private void RaiseSerial()
    {
        _first.WritePort(0x3FC, 0xB, 1);
        _first.WritePort(0x3F9, 2, 1);
    }
}
