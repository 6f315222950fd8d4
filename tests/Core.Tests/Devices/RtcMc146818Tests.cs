using KprobeTrace.Devices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Interrupts;
using Xunit;

namespace KprobeTrace.Tests.Devices;

public sealed class RtcMc146818Tests
{
    private const long Second = 1_000_000_000;

    private static readonly int[] _dateRegisters = [RtcMc146818.CenturyRegister, 9, 8, 7, 6, 4, 2, 0];

    private readonly TestTime _time = new();
    private readonly PortBus _bus = new();
    private readonly LevelRecorder _irq;
    private readonly RtcMc146818 _rtc;

    public RtcMc146818Tests()
    {
        (InterruptLine line, _irq) = LevelRecorder.Create();
        _rtc = new RtcMc146818(_time.Clock, line);
        _rtc.Register(_bus);
    }

    [Fact]
    public void Starts_at_the_fixed_date_in_bcd()
    {
        Assert.Equal("20 24 01 01 02 00 00 00", ReadDate());
        Assert.Equal(0x26, Get(0x0A));
        Assert.Equal(0x02, Get(0x0B));
        Assert.Equal(0x80, Get(0x0D));
    }

    [Fact]
    public void Advances_with_virtual_time()
    {
        _time.Advance((((31L + 28) * 86400) + (13 * 3600) + (14 * 60) + 15) * Second);

        Assert.Equal("20 24 02 29 05 13 14 15", ReadDate());
    }

    [Fact]
    public void Speaks_binary_and_twelve_hours_when_told()
    {
        _time.Advance(13 * 3600 * Second);
        Put(0x0B, 0x06);
        Assert.Equal(13, Get(4));
        Assert.Equal(24, Get(9));

        Put(0x0B, 0x00);
        Assert.Equal(0x81, Get(4));
        Put(4, 0x12);
        Assert.Equal(0x12, Get(4));
        Put(0x0B, 0x02);
        Assert.Equal(0x00, Get(4));
    }

    [Fact]
    public void Warns_244_microseconds_before_an_update()
    {
        _time.AdvanceTo(Second - 244_001);
        Assert.Equal(0, Get(0x0A) & 0x80);

        _time.AdvanceTo(Second - 244_000);
        Assert.Equal(0x80, Get(0x0A) & 0x80);

        _time.AdvanceTo(Second);
        Assert.Equal(0, Get(0x0A) & 0x80);
        Assert.Equal(1, Get(0));
    }

    [Fact]
    public void Keeps_what_is_written_while_the_time_is_being_set()
    {
        Put(0x0B, 0x82);
        Put(7, 0x31);
        Put(8, 0x02);
        Assert.Equal(0x31, Get(7));
        Put(8, 0x03);
        Put(9, 0x99);
        Put(0x32, 0x19);
        Put(4, 0x23);
        Put(2, 0x59);
        Put(0, 0x58);
        _time.Advance(5 * Second);
        Assert.Equal("19 99 03 31", ReadDate()[..11]);

        Put(0x0B, 0x02);
        _time.Advance(2 * Second);

        Assert.Equal("19 99 04 01 05 00 00 00", ReadDate());
    }

    [Theory]
    [InlineData(8, 0x00)]
    [InlineData(8, 0xFF)]
    [InlineData(7, 0x00)]
    [InlineData(7, 0x99)]
    [InlineData(0, 0xFF)]
    [InlineData(2, 0xFF)]
    [InlineData(4, 0xFF)]
    [InlineData(9, 0xFF)]
    [InlineData(0x32, 0x00)]
    [InlineData(0x32, 0xFF)]
    public void Survives_nonsense(int register, byte value)
    {
        Put(0x0B, 0x82);
        Put(register, value);
        Put(0x0B, 0x02);
        Put(register, value);
        _time.Advance(100L * 365 * 86400 * Second);

        Assert.InRange(Get(8), 0x01, 0x12);
        Assert.InRange(Get(7), 0x01, 0x31);
    }

    [Fact]
    public void Letting_the_divider_go_gives_the_first_update_half_a_second_later()
    {
        _time.AdvanceTo((10 * Second) + 123);
        Put(0x0A, 0x76);
        _time.AdvanceTo((12 * Second) + 777);
        Put(0x0A, 0x26);
        Assert.Equal(0x10, Get(0));

        _time.AdvanceTo((12 * Second) + 777 + (Second / 2) - 1);
        Assert.Equal(0x10, Get(0));
        _time.Advance(1);
        Assert.Equal(0x11, Get(0));
    }

    [Theory]
    [InlineData(6, 1024)]
    [InlineData(15, 2)]
    [InlineData(3, 8192)]
    [InlineData(1, 256)]
    [InlineData(2, 128)]
    public void Interrupts_periodically(int rate, int hertz)
    {
        Put(0x0A, (byte)(0x20 | rate));
        Put(0x0B, 0x42);
        int interrupts = 0;
        while (_time.Clock.NextDeadline <= Second)
        {
            _time.AdvanceTo(_time.Clock.NextDeadline);
            Assert.True(_irq.Level);
            Assert.Equal(0xC0, Get(0x0C) & 0xC0);
            Assert.False(_irq.Level);
            interrupts++;
        }

        Assert.Equal(hertz, interrupts);
    }

    [Fact]
    public void An_unread_interrupt_does_not_come_again()
    {
        Put(0x0B, 0x42);

        _time.Advance(Second);

        Assert.Equal(1, _irq.Rises);
        Assert.Equal(long.MaxValue, _time.Clock.NextDeadline);
    }

    [Fact]
    public void Interrupts_after_an_update()
    {
        _time.Advance(300);
        Put(0x0B, 0x12);

        _time.AdvanceTo(Second - 1);
        Assert.False(_irq.Level);
        _time.AdvanceTo(Second);
        Assert.True(_irq.Level);
        Assert.Equal(0x90, Get(0x0C) & 0xB0);
        _time.AdvanceTo(2 * Second);
        Assert.True(_irq.Level);
    }

    [Theory]
    [InlineData(0x01, 0x02, 0x03, 3723)]
    [InlineData(0xFF, 0xFF, 0x10, 10)]
    [InlineData(0xFF, 0x05, 0x00, 300)]
    [InlineData(0x00, 0x00, 0x00, 86400)]
    [InlineData(0xC0, 0xC0, 0xC0, 1)]
    public void Interrupts_at_the_alarm(byte hour, byte minute, byte second, long expected)
    {
        Put(5, hour);
        Put(3, minute);
        Put(1, second);
        Put(0x0B, 0x22);

        Assert.Equal(expected * Second, _time.Clock.NextDeadline);
        _time.AdvanceTo(expected * Second);
        Assert.True(_irq.Level);
        Assert.Equal(0xA0, Get(0x0C) & 0xA0);
    }

    [Fact]
    public void An_impossible_alarm_never_comes()
    {
        Put(5, 0x77);
        Put(0x0B, 0x22);

        Assert.Equal(long.MaxValue, _time.Clock.NextDeadline);
    }

    [Fact]
    public void Flags_can_be_polled_without_interrupts()
    {
        Put(1, 0x02);
        Put(3, 0xC0);
        Put(5, 0xC0);
        _time.Advance(Second);
        Assert.Equal(0x50, Get(0x0C));
        Assert.Equal(0x00, Get(0x0C));
        _time.Advance(Second);
        Assert.Equal(0x70, Get(0x0C));
        Assert.Equal(0, _irq.Rises);
    }

    /// <summary>Memory in KiB beyond the first MiB, in 64 KiB beyond sixteen MiB: registers 0x17, 0x30 and 0x34, 16 bits each.</summary>
    [Theory]
    [InlineData(0x0010_0000, 0, 0)]
    [InlineData(0x0010_03FF, 0, 0)]
    [InlineData(0x0010_0400, 1, 0)]
    [InlineData(0x0100_FFFF, 0x3C3F, 0)]
    [InlineData(0x0101_0000, 0x3C40, 1)]
    [InlineData(0x0123_0000, 0x44C0, 0x23)]
    [InlineData(0x040F_FC00, 0xFFFF, 0x30F)]
    [InlineData(0x0410_0000, 0xFFFF, 0x310)]
    [InlineData(0x1_00FF_0000, 0xFFFF, 0xFFFF)]
    [InlineData(0x2_0000_0000, 0xFFFF, 0xFFFF)]
    public void Ram_tells_the_memory_size_in_two_units(ulong bytes, int kib, int of64Kib)
    {
        _rtc.SetMemorySize(bytes);

        Assert.Equal((kib, kib, of64Kib), (Get(0x17) | (Get(0x18) << 8), Get(0x30) | (Get(0x31) << 8), Get(0x34) | (Get(0x35) << 8)));
        Assert.Equal((0, 0, 0, 0), (Get(0x19), Get(0x2F), Get(0x33), Get(0x36)));
    }

    [Fact]
    public void Holds_bytes_in_its_ram_and_tells_the_memory_size()
    {
        _rtc.SetMemorySize(512UL << 20);
        Put(0x40, 0x5A);
        Put(0xC1, 0xA5);

        Assert.Equal(0x5A, Get(0x40));
        Assert.Equal(0xA5, Get(0x41));
        Assert.Equal(640, Get(0x15) | (Get(0x16) << 8));
        Assert.Equal(0xFFFF, Get(0x30) | (Get(0x31) << 8));
        Assert.Equal(496 * 16, Get(0x34) | (Get(0x35) << 8));
        Assert.Equal(0xFFu, _bus.Read(0x70, 1));
    }

    [Fact]
    public void Reset_disables_the_interrupts_and_keeps_the_time()
    {
        Put(0x0B, 0x72);
        _time.Advance(Second);

        _rtc.Reset();

        Assert.False(_irq.Level);
        Assert.Equal(0x02, Get(0x0B));
        Assert.Equal(1, Get(0));
    }

    private string ReadDate() => string.Join(
        ' ',
        _dateRegisters.Select(register => $"{Get(register):x2}"));

    private int Get(int register)
    {
        _bus.Write(0x70, (uint)register, 1);
        return (int)_bus.Read(0x71, 1);
    }

    private void Put(int register, byte value)
    {
        _bus.Write(0x70, (uint)register, 1);
        _bus.Write(0x71, value, 1);
    }
}
