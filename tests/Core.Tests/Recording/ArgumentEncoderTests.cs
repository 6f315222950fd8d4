using System.Globalization;
using System.Text;
using KprobeTrace.Cpu;
using KprobeTrace.Probes;
using KprobeTrace.Recording;
using KprobeTrace.Tests.Probes;
using KprobeTrace.Tests.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Recording;

/// <summary>Fetched values as MessagePack, taken apart again by a reader that knows the specification only.</summary>
public sealed unsafe class ArgumentEncoderTests
{
    private const ulong Memory = 0xFFFF_8880_0000_1000;
    private const string Nowhere = "@0xffff900000000000";

    private readonly FakeFetchEnvironment _environment = new();
    private readonly ArgumentEncoder _encoder = new();

    /// <summary>Every width, signed and not, one below, at and one above each power of two at which some form of a number ends.</summary>
    public static TheoryData<string, ulong> Numbers
    {
        get
        {
            TheoryData<string, ulong> rows = [];
            int[] bits = [5, 7, 8, 15, 16, 31, 32, 63];
            ulong[] values = [0, 1, ulong.MaxValue, .. bits.SelectMany(bit => Around(1UL << bit)), .. bits.SelectMany(bit => Around(unchecked(0 - (1UL << bit))))];
            foreach (string type in new[] { "u8", "s8", "x8", "u16", "s16", "x16", "u32", "s32", "x32", "u64", "s64", "x64" })
            {
                foreach (ulong value in values.Distinct())
                {
                    rows.Add(type, value);
                }
            }

            return rows;

            static ulong[] Around(ulong limit) => [limit - 1, limit, limit + 1];
        }
    }

    [Theory]
    [MemberData(nameof(Numbers))]
    public void Number_is_the_one_of_its_width_and_sign(string type, ulong value)
    {
        int width = int.Parse(type[1..], CultureInfo.InvariantCulture);
        Int128 modulus = Int128.One << width;
        Int128 expected = value % modulus;
        expected = type[0] == 's' && expected >= modulus / 2 ? expected - modulus : expected;

        Assert.Equal([expected], Encode($"p fn %ax:{type}", new PtRegs { Ax = value }));
    }

    /// <summary>Lengths at which the form of a text changes, at which a piece of 64 bytes ends, and the most there is.</summary>
    public static TheoryData<int, bool> Texts
    {
        get
        {
            TheoryData<int, bool> rows = [];
            int[] limits = [1, 16, 32, 64, 128, 256, 512, 1024, FetchProgram.MaxStringLength - 1];
            foreach (int length in limits.SelectMany(limit => new[] { limit - 1, limit, limit + 1 }).Where(n => n < FetchProgram.MaxStringLength).Distinct())
            {
                rows.Add(length, true);
                rows.Add(length, false);
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Texts))]
    public void Text_is_a_str_or_where_it_is_no_utf8_a_bin_of_its_bytes(int length, bool utf8)
    {
        byte[] bytes = [.. Enumerable.Range(0, length).Select(i => (byte)('a' + (i % 26)))];
        if (!utf8 && length > 0)
        {
            bytes[length / 2] = 0xFF;
        }

        _environment.Write(Memory, new byte[FetchProgram.MaxStringLength + 64]);
        _environment.Write(Memory, bytes);

        object?[] values = Encode("p fn %di:u16 +0(%si):string %di:u16", new PtRegs { Di = 0xABCD, Si = Memory });

        object expected = utf8 || length == 0 ? Encoding.ASCII.GetString(bytes) : bytes;
        Assert.Equal([(Int128)0xABCD, expected, (Int128)0xABCD], values);
    }

    [Fact]
    public void Text_without_end_is_cut_to_what_a_kernel_takes()
    {
        _environment.Write(Memory, [.. Enumerable.Repeat((byte)'x', FetchProgram.MaxStringLength + 64)]);

        Assert.Equal([new string('x', FetchProgram.MaxStringLength - 1)], Encode("p fn +0(%si):string", new PtRegs { Si = Memory }));
    }

    [Fact]
    public void Text_of_several_bytes_a_character_keeps_them()
    {
        _environment.WriteText(Memory, "größer als Ω und 😀");

        Assert.Equal(["größer als Ω und 😀"], Encode("p fn +0(%si):string", new PtRegs { Si = Memory }));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Value_that_cannot_be_read_is_nil_and_all_others_are_right(int bad)
    {
        _environment.WriteText(Memory, "text");
        string[] fetches = ["%di:u8", "+0(%si):string", "%di:s32", "+0(%si):x8[2]", "%sp:u64"];
        string[] kinds = [":u8", ":string", ":s32", ":x8[2]", ":u64"];
        object?[] expected = [(Int128)0x80, "text", (Int128)(-128), new object?[] { (Int128)'t', (Int128)'e' }, (Int128)0x1234];
        fetches[bad] = Nowhere + kinds[bad];
        expected[bad] = bad == 3 ? new object?[] { null, null } : null;
        PtRegs registers = new() { Di = 0xFFFF_FF80, Si = Memory, Sp = 0x1234 };

        Assert.Equal(expected, Encode("p fn " + string.Join(' ', fetches), registers));
    }

    [Fact]
    public void Elements_of_an_array_that_cannot_be_read_are_nil_alone()
    {
        // Two of four pointers lead somewhere, and the memory ends behind the third.
        _environment.WriteText(Memory + 0x100, "one");
        _environment.WriteText(Memory + 0x200, "");
        _environment.WriteWord(Memory, Memory + 0x100);
        _environment.WriteWord(Memory + 8, 0xFFFF_9000_0000_0000);
        _environment.WriteWord(Memory + 16, Memory + 0x200);

        object?[] values = Encode("p fn +0(%si):string[4] %di:u8", new PtRegs { Si = Memory, Di = 9 });

        Assert.Equal<object?[]>([new object?[] { "one", null, "", null }, (Int128)9], values);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(63)]
    [InlineData(64)]
    public void Array_has_as_many_elements_as_its_type_says(int count)
    {
        byte[] bytes = [.. Enumerable.Range(1, 128).Select(i => (byte)i)];
        _environment.Write(Memory, bytes);

        object?[] values = Encode($"p fn +0(%si):u16[{count}] %di:u8", new PtRegs { Si = Memory, Di = 5 });

        object?[] elements = [.. Enumerable.Range(0, count).Select(i => (object?)(Int128)BitConverter.ToUInt16(bytes, 2 * i))];
        Assert.Equal<object?[]>([elements, (Int128)5], values);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(127)]
    [InlineData(128)]
    public void Arguments_are_as_many_as_the_definition_has(int count)
    {
        // As many as a definition may have, each the longest number: the buffer has to grow, too.
        string fetches = string.Join(' ', Enumerable.Range(0, count).Select(i => $"\\0x{0xF000_0000_0000_0000 + (ulong)i:x}:u64"));

        Assert.Equal(Enumerable.Range(0, count).Select(i => (object?)(Int128)(0xF000_0000_0000_0000 + (ulong)i)), Encode("p fn " + fetches, default));
    }

    [Fact]
    public void Without_arguments_there_is_no_array_and_nothing_is_left_of_the_hit_before()
    {
        _environment.WriteText(Memory, new string('l', 600));
        object?[] first = Encode("p fn +0(%si):string %di:u8", new PtRegs { Si = Memory, Di = 1 });

        Assert.Empty(Bytes("p fn", default));
        Assert.Equal([(Int128)2], Encode("p fn %di:u8", new PtRegs { Di = 2 }));
        Assert.Equal([new string('l', 600), (Int128)1], first);
    }

    private object?[] Encode(string definition, PtRegs registers) => (object?[])PlainMessagePack.Read(Bytes(definition, registers))!;

    private byte[] Bytes(string definition, PtRegs registers)
    {
        FetchProgram program = ProbeDefinition.Parse(definition, new FakeProbeTarget()).CompileArguments();
        FetchBuffer values = program.CreateBuffer();
        program.Execute(&registers, _environment, values);
        return _encoder.Encode(values).ToArray();
    }
}
