using KprobeTrace.Devices.Interrupts;
using Xunit;

namespace KprobeTrace.Tests.Devices.Interrupts;

/// <summary>What each register of the page keeps of what is written (Intel SDM vol. 3A, table 11-1 and the figures of chapter 11).</summary>
public sealed class LocalApicRegisterTests
{
    private readonly LocalApic _apic = new(3, false, new TestTime().Clock, new ApicBus(), new RecordingProcessor());

    public LocalApicRegisterTests() => _apic.Write(0xF0, 0x1FF, 4);

    [Theory]
    [InlineData(0x020, 0xFF000000u, 0u)]
    [InlineData(0x030, 0x00050014u, 0x00050014u)]
    [InlineData(0x080, 0x000000FFu, 0u)]
    [InlineData(0x0A0, 0u, 0u)]
    [InlineData(0x0B0, 0u, 0u)]
    [InlineData(0x0C0, 0u, 0u)]
    [InlineData(0x0D0, 0xFF000000u, 0u)]
    [InlineData(0x0E0, 0xFFFFFFFFu, 0x0FFFFFFFu)]
    [InlineData(0x0F0, 0x000003FFu, 0u)]
    [InlineData(0x100, 0u, 0u)]
    [InlineData(0x1F0, 0u, 0u)]
    [InlineData(0x270, 0u, 0u)]
    [InlineData(0x310, 0xFF000000u, 0u)]
    [InlineData(0x320, 0x000700FFu, 0u)]
    [InlineData(0x330, 0x000107FFu, 0u)]
    [InlineData(0x340, 0x000107FFu, 0u)]
    [InlineData(0x350, 0x0001A7FFu, 0u)]
    [InlineData(0x360, 0x0001A7FFu, 0u)]
    [InlineData(0x370, 0x000100FFu, 0u)]
    [InlineData(0x380, 0xFFFFFFFFu, 0u)]
    [InlineData(0x3E0, 0x0000000Bu, 0u)]
    public void Keeps_the_bits_that_exist(ulong offset, uint ofOnes, uint ofZeros)
    {
        _apic.Write(offset, 0xFFFFFFFF, 4);
        Assert.Equal(ofOnes, (uint)_apic.Read(offset, 4));

        _apic.Write(0xF0, 0x1FF, 4);
        _apic.Write(offset, 0, 4);
        Assert.Equal(ofZeros, (uint)_apic.Read(offset, 4));
        Assert.Equal(0u, Errors());
    }

    [Theory]
    [InlineData(0x000)]
    [InlineData(0x010)]
    [InlineData(0x040)]
    [InlineData(0x070)]
    [InlineData(0x290)]
    [InlineData(0x2F0)]
    [InlineData(0x3A0)]
    [InlineData(0x3D0)]
    [InlineData(0x3F0)]
    [InlineData(0xFF0)]
    public void An_access_to_a_register_that_does_not_exist_is_an_error(ulong offset)
    {
        Assert.Equal(0UL, _apic.Read(offset, 4));
        Assert.Equal(0x80u, Errors());

        _apic.Write(offset, 0, 4);
        Assert.Equal(0x80u, Errors());
        Assert.Equal(0u, Errors());
    }

    [Theory]
    [InlineData(0x000C0000u, 0x000C0000u)]
    [InlineData(0xFFFFFFFFu & ~0x000C0000u, 0x0000CFFFu)]
    public void The_command_register_keeps_the_bits_that_exist(uint value, uint kept)
    {
        _apic.Write(0x300, value | 0x50, 4);

        Assert.Equal(kept | 0x50, (uint)_apic.Read(0x300, 4));
    }

    [Theory]
    [InlineData(0, 0xFFFFFFFFUL)]
    [InlineData(1, 0xFFFFFFUL)]
    [InlineData(2, 0xFFFFUL)]
    [InlineData(3, 0xFFUL)]
    public void A_byte_within_a_register_reads_from_there(int at, ulong expected) =>
        Assert.Equal(expected, _apic.Read((ulong)(0xE0 + at), 4 - at));

    [Fact]
    public void The_id_names_it_in_messages_and_a_reset_gives_back_the_first_one()
    {
        Assert.Equal(0x03000000u, (uint)_apic.Read(0x20, 4));
        _apic.Write(0x20, 0x07000000, 4);
        Assert.Equal(7, _apic.Id);

        _apic.Reset();

        Assert.Equal(3, _apic.Id);
        Assert.Equal(0xFFu, (uint)_apic.Read(0xF0, 4));
        Assert.True(_apic.TryReadMsr(LocalApic.MsrApicBase, out ulong value));
        Assert.Equal(0xFEE00800u, value);
    }

    private uint Errors()
    {
        _apic.Write(0x280, 0, 4);
        return (uint)_apic.Read(0x280, 4);
    }
}
