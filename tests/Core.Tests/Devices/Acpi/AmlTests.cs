using KprobeTrace.Devices.Acpi;
using Xunit;

namespace KprobeTrace.Tests.Devices.Acpi;

public sealed class AmlTests
{
    [Theory]
    [InlineData(0u, "00")]
    [InlineData(1u, "01")]
    [InlineData(5u, "0A05")]
    [InlineData(0x1234u, "0B3412")]
    [InlineData(0x12345678u, "0C78563412")]
    public void Integers_take_their_shortest_form(uint value, string expected) =>
        Assert.Equal(expected, Convert.ToHexString(Aml.Integer(value)));

    [Fact]
    public void Names_of_vendors_are_compressed() =>
        Assert.Equal("0C41D00501", Convert.ToHexString(Aml.EisaId("PNP0501")));

    [Fact]
    public void Package_lengths_count_themselves()
    {
        Assert.Equal("120200", Convert.ToHexString(Aml.Package()));

        byte[] content = new byte[100];
        byte[] buffer = Aml.Buffer(content);

        // 100 bytes, a byte constant of 2, a length of 2: 104 = 8 + 6 * 16.
        Assert.Equal("1148060A64", Convert.ToHexString(buffer.AsSpan(0, 5)));
        Assert.Equal(1 + 104, buffer.Length);
    }

    [Fact]
    public void Encodes_resources()
    {
        Assert.Equal("4701F803F8030108", Convert.ToHexString(Aml.Ports(0x3F8, 8)));
        Assert.Equal("220001", Convert.ToHexString(Aml.Interrupt(8)));
        Assert.Equal("7900", Convert.ToHexString(Aml.EndTag()));
    }
}
