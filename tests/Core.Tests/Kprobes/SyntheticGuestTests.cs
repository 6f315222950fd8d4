using Xunit;

namespace KprobeTrace.Tests.Kprobes;

public sealed class SyntheticGuestTests
{
    [Theory]
    [InlineData("leaf", 1, 4)]
    [InlineData("frame", 1, 2)]
    [InlineData("rip", 0, 0x1234)]
    [InlineData("riplea", 0, SyntheticGuest.Global)]
    [InlineData("jcc", 0, 7)]
    [InlineData("jcc", 1, 0)]
    [InlineData("loopf", 3, 3)]
    [InlineData("callrel", 1, 5)]
    [InlineData("callind", 1, 4)]
    [InlineData("jmpind", 1, 4)]
    [InlineData("opt", 9, 9)]
    [InlineData("stcf", 0, 1)]
    [InlineData("third", 10, 3)]
    [InlineData("rec", 9, 9)]
    [InlineData("callretimm", 5, 5)]
    [InlineData("tail", 1, 5)]
    [InlineData("nested", 9, 15)]
    [InlineData("tmod:tmod_fn", 1, 8)]
    [InlineData("long11", 0, 0)]
    [InlineData("prefixed", 1, 4)]
    [InlineData("misc", 6, 6)]
    public void Unprobed_functions_return_what_they_should(string name, ulong argument, ulong expected)
    {
        using SyntheticGuest guest = new();
        Assert.Equal(expected, guest.Call(name, argument));
    }

    [Fact]
    public void Six_adds_its_arguments()
    {
        using SyntheticGuest guest = new();
        Assert.Equal(21UL, guest.Call("six", 1, 2, 3, 4, 5, 6));
    }

    [Fact]
    public void Faulting_load_is_fixed_up()
    {
        using SyntheticGuest guest = new();
        Assert.Equal(unchecked((uint)-14), guest.Call("getu", 0x50_0000));
        Assert.Equal(1UL, guest.Counter(14));
    }
}
