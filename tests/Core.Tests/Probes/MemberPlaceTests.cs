using System.Globalization;
using System.Numerics;
using KprobeTrace.Cpu;
using KprobeTrace.Probes;
using Xunit;

namespace KprobeTrace.Tests.Probes;

/// <summary>Members wherever a structure may have them: each against the bits of the structure, counted from the first.</summary>
public sealed unsafe class MemberPlaceTests
{
    private const ulong Structure = 0xffff_8880_0000_1000;

    /// <summary>Where a member begins, how many bits it has (0: as many as its type), and its type's bytes.</summary>
    [Theory]
    [InlineData(0, 0, 1, false)]
    [InlineData(8, 0, 2, false)]
    [InlineData(64, 0, 8, false)]
    [InlineData(32, 0, 4, true)]
    [InlineData(40, 0, 1, true)]
    [InlineData(35, 5, 4, false)]
    [InlineData(35, 5, 4, true)]
    [InlineData(24, 8, 4, false)] // up to its container's last bit
    [InlineData(31, 1, 4, false)]
    [InlineData(28, 8, 4, false)] // over it: the container begins at a byte
    [InlineData(32, 32, 4, false)]
    [InlineData(124, 4, 8, false)]
    [InlineData(65, 63, 8, false)]
    [InlineData(15, 1, 2, false)]
    [InlineData(14, 3, 2, false)]
    [InlineData(9, 1, 1, true)]
    public void A_member_is_its_bits(int first, int bits, int size, bool isSigned)
    {
        byte[] bytes = new byte[64];
        new Random(first + bits).NextBytes(bytes);
        BigInteger all = new(bytes, isUnsigned: true);
        int width = bits == 0 ? size * 8 : bits;
        BigInteger value = (all >> first) % (BigInteger.One << width);
        if (isSigned && bits == 0 && value >> (width - 1) == 1)
        {
            value -= BigInteger.One << width;
        }

        Assert.Equal("m=" + value.ToString(CultureInfo.InvariantCulture), Fetch("p fn s->m", new OneMember(first, bits, new(ProbeTypeClass.Number, size, isSigned)), bytes));
    }

    [Theory]
    [InlineData(1, "m={7}")]
    [InlineData(64, null)]
    [InlineData(65, null)]
    [InlineData(1000, null)]
    public void Of_an_array_64_elements_are_fetched_at_most(int count, string? expected)
    {
        byte[] bytes = [.. Enumerable.Repeat((byte)7, 200)];

        Assert.Equal(
            expected ?? "m={" + string.Join(',', Enumerable.Repeat("7", 64)) + "}",
            Fetch("p fn s->m", new OneMember(0, 0, new(ProbeTypeClass.Array, count, Element: 3, Count: count)), bytes));
    }

    [Theory]
    [InlineData(ProbeTypeClass.Array, 0)]
    [InlineData(ProbeTypeClass.Structure, 0)]
    [InlineData(ProbeTypeClass.Other, 0)]
    internal void What_has_no_value_has_no_type(ProbeTypeClass kind, int count)
    {
        FakeProbeTarget target = new() { Types = new OneMember(0, 0, new(kind, 8, Element: 3, Count: count)) };

        Assert.False(ProbeDefinitionParser.TryParse("p fn a=s->m", target, out _, out ProbeError? error));
        Assert.Equal(("Unknown type is specified", 7), (error.Message, error.Column));
    }

    private static string Fetch(string line, OneMember types, byte[] bytes)
    {
        FakeFetchEnvironment environment = new();
        environment.Write(Structure, bytes);
        FetchProgram program = ProbeDefinition.Parse(line, new FakeProbeTarget { Types = types }).CompileArguments();
        FetchBuffer buffer = program.CreateBuffer();
        PtRegs registers = new() { Di = Structure };

        // SAFETY: a local of this frame, alive through the call.
        program.Execute(&registers, environment, buffer);
        return buffer.Format();
    }

    /// <summary>A function whose parameter <c>s</c> points to a structure with one member.</summary>
    private sealed class OneMember(int first, int bits, ProbeTypeShape member) : IProbeTypes
    {
        public IReadOnlyList<ProbeVariable>? FindParameters(string name) => [new ProbeVariable("s", 1)];

        public ProbeTypeShape Describe(int type) => type switch
        {
            1 => new ProbeTypeShape(ProbeTypeClass.Address, 8, Element: 2),
            2 => new ProbeTypeShape(ProbeTypeClass.Structure, 64, Element: 2),
            3 => new ProbeTypeShape(ProbeTypeClass.Number, 1),
            _ => member,
        };

        public bool TryFindMember(int type, string name, out ProbeMember found)
        {
            found = new ProbeMember(4, first, bits);
            return name == "m";
        }
    }
}
