using System.Buffers.Binary;
using KprobeTrace.Devices;
using KprobeTrace.Devices.Acpi;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Machine;
using KprobeTrace.Memory;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Machine;

/// <summary>Every device answers at its place on the bus, and its interrupt arrives under the number that a PC gives it.</summary>
public sealed unsafe class MachineBusTests : IDisposable
{
    private const ulong Apic = 0xFEE0_0000;
    private const ulong IoApic = 0xFEC0_0000;
    private const uint ApicBaseMsr = 0x1B;
    private const uint TscDeadlineMsr = 0x6E0;
    private const int Memory = 64 << 20;

    private readonly PhysicalMemory _memory = new(Memory);
    private readonly List<byte> _console = [];
    private readonly MachineBus _bus;
    private readonly ProcessorBus _processor;
    private readonly GuestMachine _machine;

    public MachineBusTests()
    {
        _bus = new MachineBus(_memory, _console.Add, processorCount: 1);
        _processor = _bus.Processors[0];
        _machine = new GuestMachine(_memory, _bus);
    }

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void Serial_port_writes_to_the_console()
    {
        Out(0x3F8, 'a');
        Out(0x3F8, 'b');

        Assert.Equal("ab"u8, [.. _console]);
        Assert.Equal(1, _machine.Serial.Receive("x"u8));
        Assert.Equal('x', In(0x3F8));
    }

    /// <summary>What raises each interrupt, how long later, and its vector where the two controllers begin at 0x20 and 0x28.</summary>
    [Theory]
    [InlineData("timer", 0x20)]
    [InlineData("keyboard", 0x21)]
    [InlineData("serial", 0x24)]
    [InlineData("clock", 0x28)]
    [InlineData("power management", 0x29)]
    public void Interrupt_of_a_device_arrives_through_the_8259_pair(string device, int vector)
    {
        StartPics();

        Raise(device);

        Assert.Equal(vector, _processor.AcknowledgeInterrupt());
    }

    [Theory]
    [InlineData("timer", 2)]
    [InlineData("keyboard", 1)]
    [InlineData("serial", 4)]
    [InlineData("clock", 8)]
    [InlineData("power management", 9)]
    public void Interrupt_of_a_device_arrives_through_the_IO_APIC(string device, int pin)
    {
        WriteIoApic(0x10 + (2 * pin), 0x40 + (uint)pin);

        Raise(device);

        Assert.Equal(0x40 + pin, _processor.AcknowledgeInterrupt());
    }

    [Fact]
    public void Timer_wakes_the_processor_when_its_deadline_is_the_next_one()
    {
        _machine.Processors.Bootstrap.State->ExitRequest = 0;
        Assert.Equal(long.MaxValue, _processor.NextEvent);

        Out(0x43, 0x34);
        Out(0x40, 0xA9);
        Out(0x40, 0x04); // 1193 ticks of 1,193,182 Hz: a millisecond

        Assert.InRange(_processor.NextEvent, 998_000, 1_002_000);
        Assert.Equal(1, _machine.Processors.Bootstrap.State->ExitRequest);
    }

    [Theory]
    [InlineData(0x00u, 0u)]
    [InlineData(0x0Fu, 0u)]
    [InlineData(0x10u, 1u)]
    [InlineData(0x5Au, 5u)]
    [InlineData(0x80u, 8u)]
    [InlineData(0xF0u, 15u)]
    public void CR8_is_the_upper_half_of_the_task_priority(uint priority, uint cr8)
    {
        _processor.WriteMmio(Apic + 0x80, priority, 4);
        Assert.Equal(cr8, _processor.TaskPriority);

        _processor.WriteMmio(Apic + 0x80, 0x33, 4);
        _processor.TaskPriority = cr8;
        Assert.Equal(cr8 << 4, _processor.ReadMmio(Apic + 0x80, 4));
    }

    [Fact]
    public void Local_APIC_is_that_of_processor_0_and_moves_and_disappears_with_its_base()
    {
        Assert.Equal(0ul, _processor.ReadMmio(Apic + 0x20, 4));
        Assert.True(_processor.TryReadMsr(ApicBaseMsr, out ulong at));
        Assert.Equal(Apic | 0x900, at); // enabled, and the bootstrap processor's
        ulong version = _processor.ReadMmio(Apic + 0x30, 4);

        Assert.True(_processor.TryWriteMsr(ApicBaseMsr, 0xFEA0_0900));
        Assert.Equal((version, 0xFFFF_FFFFul), (_processor.ReadMmio(0xFEA0_0030, 4), _processor.ReadMmio(Apic + 0x30, 4)));
        Assert.Equal(0xFFFF_FFFFul, _processor.ReadMmio(0xFEA0_1030, 4));

        Assert.True(_processor.TryWriteMsr(ApicBaseMsr, 0xFEA0_0100));
        Assert.Equal(0xFFFF_FFFFul, _processor.ReadMmio(0xFEA0_0030, 4));
    }

    [Fact]
    public void IO_APIC_has_24_entries()
    {
        _processor.WriteMmio(IoApic, 1, 4);

        Assert.Equal(23ul, (_processor.ReadMmio(IoApic + 0x10, 4) >> 16) & 0xFF);
    }

    [Fact]
    public void Clock_of_KVM_is_written_into_memory_with_the_offset_of_the_counter()
    {
        _machine.Processors.Bootstrap.State->IdleTime = 5000;
        _processor.OnTscOffset(700);

        Assert.True(_processor.TryWriteMsr(KvmClock.MsrSystemTime, 0x8000 | 1));

        byte[] page = new byte[32];
        Assert.True(_memory.TryRead(0x8000, page));
        Assert.Equal((5700, 5000), (BinaryPrimitives.ReadInt64LittleEndian(page.AsSpan(8)), BinaryPrimitives.ReadInt64LittleEndian(page.AsSpan(16))));
        Assert.True(_processor.TryReadMsr(KvmClock.MsrSystemTime, out ulong set));
        Assert.Equal(0x8001ul, set);
    }

    [Fact]
    public void Deadline_of_the_counter_is_met_with_its_offset()
    {
        _processor.WriteMmio(Apic + 0x320, 0x4_0030, 4);
        _processor.OnTscOffset(1000);

        Assert.True(_processor.TryWriteMsr(TscDeadlineMsr, 6000));
        Assert.Equal(5000, _processor.NextEvent);
        After(4999);
        Assert.False(_processor.TryReadMsr(TscDeadlineMsr, out ulong deadline) && deadline == 0);
        After(1);
        Assert.Equal(0x30, _processor.AcknowledgeInterrupt());
    }

    [Fact]
    public void Register_that_no_device_has_is_nobodys()
    {
        Assert.False(_processor.TryReadMsr(0xDEAD, out _));
        Assert.False(_processor.TryWriteMsr(0xDEAD, 1));
        Assert.Equal((0xFFu, 0xFFFFu, 0xFFFF_FFFFu), (_processor.ReadPort(0x2F8, 1), _processor.ReadPort(0x2F8, 2), _processor.ReadPort(0x2F8, 4)));
        Assert.Equal(0xFFFF_FFFFul, _processor.ReadMmio(0xFED0_0000, 4));
    }

    [Fact]
    public void Battery_backed_memory_tells_the_size_of_memory()
    {
        Assert.Equal((Memory >> 10) - 1024, Cmos(0x17) | (Cmos(0x18) << 8));
        Assert.Equal((Memory - 0x100_0000) >> 16, Cmos(0x34) | (Cmos(0x35) << 8));
    }

    [Fact]
    public void Port_of_delays_keeps_its_value_and_the_speakers_gate_is_the_timers()
    {
        Out(0x80, 0x5A);
        Assert.Equal(0x5A, In(0x80));
        Out(0x61, 1);
        Assert.Equal(1, In(0x61) & 1);
        Assert.Equal(0x02, In(0x92));
        Assert.Equal(0x1C, In(0x64) | 0x08);
    }

    [Theory]
    [InlineData(0x604, 2, 0x3400u, PowerState.PoweredOff)]
    [InlineData(0xCF9, 1, 0x06u, PowerState.Reset)]
    [InlineData(0x64, 1, 0xFEu, PowerState.Reset)]
    [InlineData(0x92, 1, 0x01u, PowerState.Reset)]
    [InlineData(0xF4, 4, 0x12345678u, PowerState.Exited)]
    public void Guest_ends_by_a_port(ushort port, int size, uint value, PowerState state)
    {
        _machine.Processors.Bootstrap.State->ExitRequest = 0;

        _processor.WritePort(port, value, size);

        Assert.Equal((state, 1), (_machine.Power, _machine.Processors.Bootstrap.State->ExitRequest));
        Assert.Equal(state == PowerState.Exited ? value : 0, _machine.ExitValue);
        Assert.True(_machine.Processors.Bootstrap.StopRequested);
    }

    [Fact]
    public void Message_that_initialises_the_processor_is_a_reset_and_one_for_management_mode_nothing()
    {
        _processor.DeliverSmi();
        _processor.DeliverStartup(8);
        Assert.Equal(PowerState.Running, _machine.Power);

        _processor.DeliverInit();
        Assert.Equal(PowerState.Reset, _machine.Power);
    }

    [Fact]
    public void Code_that_a_device_writes_over_is_what_runs_next()
    {
        Assert.True(_bus.TryWrite(0x7C00, [0xEB, 0xFE]));
        _machine.Processors.Bootstrap.State->Segments.Cs.Base = 0;
        _machine.Processors.Bootstrap.State->Rip = 0x7C00;
        Assert.Equal(PowerState.Stopped, _machine.Run(10));

        Assert.True(_bus.TryWrite(0x7C00, [0xF4]));

        Assert.Equal(PowerState.Halted, _machine.Run(20));
        Assert.Equal(11, _machine.Retired);
    }

    [Fact]
    public void Bus_without_a_processor_writes_memory_and_stands_at_the_beginning_of_time()
    {
        using PhysicalMemory memory = new(1 << 20);
        MachineBus bus = new(memory, _ => { }, processorCount: 1);

        bus.Processors[0].WritePort(0x43, 0x34, 1);
        bus.Processors[0].WritePort(0x40, 0, 1);
        bus.Processors[0].WritePort(0x40, 0, 1);
        bus.Processors[0].SetInterruptPending(true);
        Assert.Equal(0, bus.Clock.Now);
        Assert.True(bus.TryWrite(0x1000, "abc"u8));
        Assert.False(bus.TryWrite((1 << 20) - 2, "abc"u8));
        byte[] written = new byte[3];
        Assert.True(memory.TryRead(0x1000, written));
        Assert.Equal("abc"u8, written);
    }

    /// <remarks>Counters, chips and lines are saved by what they are parts of, and by a session what is known of its guest.</remarks>
    [Fact]
    public void Everything_with_a_state_is_saved_under_the_name_that_the_page_has()
    {
        Type[] withState = [.. typeof(IStateful).Assembly.GetTypes().Where(static t => t.IsClass && t.IsAssignableTo(typeof(IStateful)) && IsOfTheMachine(t))];
        Type[] withinOthers = [typeof(GuestMachine), typeof(PitChannel), typeof(Pic8259), typeof(InterruptLine)];
        string[] ofSession = ["image", "linux", "kprobes", "recorder"];
        string[] records = [.. File.ReadLines(Repository.PathOf("docs/saved-state.md"))
            .Where(static line => line.StartsWith("| `", StringComparison.Ordinal)).Select(static line => line.Split('`')[1])];

        Assert.Equal(withState.Except(withinOthers).Select(static t => t.Name).Order(), _bus.Parts.Select(static p => p.Part.GetType().Name).Order());
        Assert.Equal(["processor", "machine", .. _bus.Parts.Select(static p => p.Name), .. ofSession, "ram", "end"], records);
    }

    private static bool IsOfTheMachine(Type type) => type.Namespace!.Split('.')[1] is "Devices" or "Machine";

    private void Raise(string device)
    {
        switch (device)
        {
            case "timer":
                Out(0x43, 0x34);
                Out(0x40, 0xA9);
                Out(0x40, 0x04);
                After(1_100_000);
                break;
            case "keyboard":
                Out(0x64, 0xAA);
                Assert.NotEqual(0, In(0x64) & 1);
                break;
            case "serial":
                Out(0x3FC, 0x08);
                Out(0x3F9, 0x02);
                break;
            case "clock":
                Out(0x70, 0x0A);
                Out(0x71, 0x26);
                Out(0x70, 0x0B);
                Out(0x71, 0x42);
                After(1_100_000);
                break;
            default:
                _processor.WritePort(AcpiPowerManagement.EventBlock + 2, 1, 2);
                After(610_000_000_000); // 2^31 ticks of 3,579,545 Hz are 599.9 s
                break;
        }
    }

    /// <summary>Makes the pair give vectors 0x20 to 0x2F, with every input open.</summary>
    private void StartPics()
    {
        foreach ((ushort port, int first, int wiring) in new[] { ((ushort)0x20, 0x20, 4), ((ushort)0xA0, 0x28, 2) })
        {
            Out(port, 0x11);
            Out((ushort)(port + 1), first);
            Out((ushort)(port + 1), wiring);
            Out((ushort)(port + 1), 1);
            Out((ushort)(port + 1), 0);
        }
    }

    private void WriteIoApic(int register, uint value)
    {
        _processor.WriteMmio(IoApic, (ulong)register, 4);
        _processor.WriteMmio(IoApic + 0x10, value, 4);
    }

    private void After(long nanoseconds)
    {
        _machine.Processors.Bootstrap.State->IdleTime += nanoseconds;
        _processor.RunEvents();
    }

    private void Out(ushort port, int value) => _processor.WritePort(port, (uint)value, 1);

    private int In(ushort port) => (int)_processor.ReadPort(port, 1);

    private int Cmos(int index)
    {
        Out(0x70, index);
        return In(0x71);
    }
}
