using KprobeTrace.Devices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Tests.Devices.Interrupts;
using Xunit;

namespace KprobeTrace.Tests.Devices.Saving;

/// <summary>Devices of one or two registers go on from a saved state, and no part takes a state that it cannot be in.</summary>
public sealed class SmallDeviceStateTests
{
    private readonly TestTime _time = new();
    private readonly PortBus _bus = new();
    private readonly RecordingPower _power = new();

    [Fact]
    public void Delay_port_keeps_its_latch()
    {
        DelayPort first = new();
        first.Write(0x80, 0xA5, 1);

        Assert.Equal(0xA5u, first.Into(new DelayPort()).Read(0x80, 1));
    }

    [Fact]
    public void Reset_register_keeps_its_bits_and_so_which_edge_resets()
    {
        ResetControl first = new(_power);
        first.Write(0xCF9, 0x0A, 1);
        ResetControl second = first.Into(new ResetControl(_power));

        Assert.Equal(0x0Au, second.Read(0xCF9, 1));
        second.Write(0xCF9, 0x0E, 1);
        Assert.Equal(["reset"], _power.Calls);
    }

    [Fact]
    public void System_control_ports_keep_both()
    {
        Pit8254 pit = new(_time.Clock, new InterruptLine());
        SystemControlPorts first = new(_time.Clock, pit, _power);
        first.Write(0x61, 0x0A, 1);
        first.Write(0x92, 0x00, 1);
        first.Into(new SystemControlPorts(_time.Clock, pit, _power)).Register(_bus);

        Assert.Equal((0x0Au, 0x00u), (_bus.Read(0x61, 1) & 0x0F, _bus.Read(0x92, 1)));
    }

    [Fact]
    public void Clock_of_the_hypervisor_keeps_its_registers_and_the_counters_offset()
    {
        RamThatIsNot ram = new();
        KvmClock first = new(_time.Clock, ram) { TscOffset = -7 };
        Assert.True(first.TryWriteMsr(KvmClock.MsrSystemTime, 0x1234_5001));
        Assert.True(first.TryWriteMsr(KvmClock.MsrWallClock, 0x9876_5000));
        KvmClock second = first.Into(new KvmClock(_time.Clock, ram));

        Assert.True(second.TryReadMsr(KvmClock.MsrSystemTimeOld, out ulong system) && second.TryReadMsr(KvmClock.MsrWallClockOld, out ulong wall)
            && (system, wall, second.TscOffset) == (0x1234_5001, 0x9876_5000, -7));
    }

    /// <remarks>The lines say what the devices ask for; the controllers keep what they saw of it, and are not told again.</remarks>
    [Fact]
    public void Lines_keep_their_levels_and_tell_nobody()
    {
        IsaInterrupts first = Lines(out _);
        first[1].Set(true);
        first[15].Set(true);
        IsaInterrupts second = first.Into(Lines(out IoApic unaware));

        Assert.Equal([1, 15], Enumerable.Range(0, 16).Where(i => second[i].Level));
        Assert.Equal(CarriedOver.Bytes(new IoApic(new ApicBus())), CarriedOver.Bytes(unaware));
    }

    [Fact]
    public void Page_of_the_local_apic_is_where_its_state_says()
    {
        LocalApic first = Apic();
        Assert.True(first.TryWriteMsr(LocalApic.MsrApicBase, 0xFED0_0100));
        LocalApic second = Apic();
        List<(ulong, bool)> told = [];
        second.BaseChanged = (address, enabled) => told.Add((address, enabled));

        _ = first.Into(second);

        Assert.Equal([(0xFED0_0000ul, false)], told);
    }

    /// <remarks>A number of a state that stands for a place in an array, or divides, is looked at before it is taken.</remarks>
    [Theory]
    [InlineData("head of the serial port's FIFO", 18, 16)]
    [InlineData("bytes in the serial port's FIFO", 19, 17)]
    [InlineData("bytes that wait for the serial port", 31, 2)]
    [InlineData("sign of the bytes that wait for the serial port", 32, 0x80)]
    [InlineData("count of a timer", 30, 2)]
    [InlineData("count register of a timer", 27, 0x80)]
    [InlineData("highest priority of an interrupt controller", 7, 8)]
    [InlineData("highest request of a local APIC", 32, 5)]
    [InlineData("divider of a local APIC's timer", 199, 8)]
    [InlineData("number of timers of a clock", 0, 9)]
    [InlineData("load of a timer", 6, 0x20)]
    [InlineData("last load of a timer", 14, 0x20)]
    [InlineData("sign of what was held of a timer", 22, 0x80)]
    [InlineData("sign of the expiry of a local APIC's timer", 133, 0x80)]
    [InlineData("first year of a calendar", 15, 0x80)]
    [InlineData("last year of a calendar", 15, 0x01)]
    [InlineData("phase of a calendar", 19, 0x40)]
    [InlineData("stopped second of a calendar", 27, 0x40)]
    public void No_part_takes_what_it_is_never_in(string what, int at, byte value)
    {
        IStateful part = what switch
        {
            _ when what.EndsWith("timer", StringComparison.Ordinal) && !what.Contains("APIC", StringComparison.Ordinal) => new Pit8254(_time.Clock, new InterruptLine()),
            _ when what.Contains("serial", StringComparison.Ordinal) => new Uart16550(Uart16550.Com1, new InterruptLine(), _ => { }),
            _ when what.Contains("controller", StringComparison.Ordinal) => new Pic8259Pair(_ => { }),
            _ when what.Contains("calendar", StringComparison.Ordinal) => new RtcMc146818(_time.Clock, new InterruptLine()),
            _ when what.Contains("clock", StringComparison.Ordinal) => _time.Clock,
            _ => Apic(),
        };
        byte[] state = CarriedOver.Bytes(part);
        state[at] = value;

        KprobeTraceException refused = Assert.Throws<KprobeTraceException>(() => part.Load(new StateReader("part", state)));

        Assert.Equal("the saved state of part holds values that it never has: it is damaged, or another version of KprobeTrace wrote it", refused.Message);
    }

    [Fact]
    public void State_with_a_byte_too_few_or_too_many_is_refused()
    {
        byte[] state = CarriedOver.Bytes(new DelayPort());
        StateReader longer = new("delay", (byte[])[.. state, 0]);
        new DelayPort().Load(longer);

        Assert.Equal(
            "the saved state of delay has 3 bytes, too few: it is damaged, or another version of KprobeTrace wrote it",
            Assert.Throws<KprobeTraceException>(() => new DelayPort().Load(new StateReader("delay", state.AsMemory(1)))).Message);
        Assert.Equal(
            "the saved state of delay has 5 bytes instead of 4: it is damaged, or another version of KprobeTrace wrote it",
            Assert.Throws<KprobeTraceException>(longer.RequireEnd).Message);
    }

    private static IsaInterrupts Lines(out IoApic ioApic) => new(new Pic8259Pair(_ => { }), ioApic = new IoApic(new ApicBus()));

    private LocalApic Apic() => new(0, true, _time.Clock, new ApicBus(), new RecordingProcessor());

    private sealed class RamThatIsNot : IPhysicalMemoryWriter
    {
        public bool TryWrite(ulong address, ReadOnlySpan<byte> data) => false;
    }
}
