using System.Buffers.Binary;
using KprobeTrace.Devices;
using Xunit;

namespace KprobeTrace.Tests.Devices;

public sealed class KvmClockTests
{
    private readonly TestTime _time = new();
    private readonly Ram _ram = new();
    private readonly KvmClock _clock;

    public KvmClockTests()
    {
        _clock = new KvmClock(_time.Clock, _ram);
    }

    [Theory]
    [InlineData(KvmClock.MsrSystemTime)]
    [InlineData(KvmClock.MsrSystemTimeOld)]
    public void The_system_time_page_turns_the_time_stamp_into_nanoseconds(uint msr)
    {
        _time.Advance(123_456_789);
        _clock.TscOffset = 1000;

        Assert.True(_clock.TryWriteMsr(msr, 0x1001));

        ReadOnlySpan<byte> page = _ram.Bytes.AsSpan(0x1000, 32);
        Assert.Equal(0u, BinaryPrimitives.ReadUInt32LittleEndian(page) & 1);
        ulong stamp = BinaryPrimitives.ReadUInt64LittleEndian(page[8..]);
        ulong system = BinaryPrimitives.ReadUInt64LittleEndian(page[16..]);
        uint multiplier = BinaryPrimitives.ReadUInt32LittleEndian(page[24..]);
        int shift = (sbyte)page[28];
        Assert.Equal(1, page[29]);
        Assert.Equal(1_000_000UL, ((1_000_000UL << 32) / multiplier) >> shift);
        ulong later = 123_456_789 + 1000 + 5_000_000_007;
        Assert.Equal(123_456_789UL + 5_000_000_007, system + (((later - stamp) << shift) * (UInt128)multiplier >> 32));
        Assert.True(_clock.TryReadMsr(msr, out ulong value));
        Assert.Equal(0x1001u, value);
    }

    [Theory]
    [InlineData(KvmClock.MsrWallClock)]
    [InlineData(KvmClock.MsrWallClockOld)]
    public void The_wall_clock_page_holds_the_date_of_power_on(uint msr)
    {
        _time.Advance(5_000_000_000);

        Assert.True(_clock.TryWriteMsr(msr, 0x2000));

        uint seconds = BinaryPrimitives.ReadUInt32LittleEndian(_ram.Bytes.AsSpan(0x2004));
        Assert.Equal(new DateTime(2024, 1, 1, 0, 0, 0, DateTimeKind.Utc), DateTime.UnixEpoch.AddSeconds(seconds));
    }

    [Fact]
    public void A_disabled_or_absent_page_is_not_written()
    {
        Assert.True(_clock.TryWriteMsr(KvmClock.MsrSystemTime, 0x1000));
        Assert.True(_clock.TryWriteMsr(KvmClock.MsrSystemTime, 0xFFFF_FFFF_FFFF_F001));

        Assert.All(_ram.Bytes, value => Assert.Equal(0, value));
    }

    [Fact]
    public void Other_registers_are_not_its_own()
    {
        Assert.False(_clock.TryReadMsr(0x4B564D02, out _));
        Assert.False(_clock.TryWriteMsr(0x10, 0));
    }

    private sealed class Ram : IPhysicalMemoryWriter
    {
        public byte[] Bytes { get; } = new byte[0x4000];

        public bool TryWrite(ulong address, ReadOnlySpan<byte> data)
        {
            if (address > (ulong)Bytes.Length || (ulong)data.Length > (ulong)Bytes.Length - address)
            {
                return false;
            }

            data.CopyTo(Bytes.AsSpan((int)address));
            return true;
        }
    }
}
