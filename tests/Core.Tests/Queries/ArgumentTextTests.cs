using System.Globalization;
using System.Text;
using KprobeTrace.Queries;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Queries;

public sealed class ArgumentTextTests
{
    /// <summary>Bytes of JSON that are printed of an event, and of one text.</summary>
    private const int Most = 32768;

    [Theory]
    [InlineData("u8", 200, "200")]
    [InlineData("u64", -1, "18446744073709551615")]
    [InlineData("s8", -1, "-1")]
    [InlineData("s64", long.MinValue, "-9223372036854775808")]
    [InlineData("x8", 255, "0xff")]
    [InlineData("x64", -1, "0xffffffffffffffff")]
    [InlineData("", 0, "0x0")]
    [InlineData("b4@2/8", 9, "9")]
    [InlineData("b64@0/64", -2, "18446744073709551614")]
    [InlineData("char", 65, "'A'")]
    [InlineData("char", 0x141, "'A'")]
    [InlineData("char", 10, "'\\n'")]
    [InlineData("char", 0xC1, "'A'")] // seven bits, as ftrace prints it
    [InlineData("symbol", 0x1234, "<1234>")]
    [InlineData("symbol[2]", -16, "<fffffffffffffff0>")]
    [InlineData("symstr", 16, "0x10")]
    [InlineData("string", 16, "0x10")]
    [InlineData("ustring", 16, "0x10")]
    [InlineData("string[2]", 16, "0x10")]
    [InlineData("s32[2]", -5, "-5")]
    [InlineData("char[2]", 66, "'B'")]
    [InlineData("whatever", 16, "0x10")]
    public void Number_is_printed_by_its_type(string type, long number, string expected) =>
        Assert.Equal($" a={expected}", Print($$"""{"a":{{number}}}""", type));

    [Theory]
    [InlineData("{}", "")]
    [InlineData("", "")]
    [InlineData("[1]", "")]
    [InlineData("""{"a":1,"b":2}""", " a=1 b=0x2")] // of more values than types the rest is hexadecimal
    [InlineData("""{"a":null}""", " a=(fault)")]
    [InlineData("""{"a":[1,2,3]}""", " a={1,2,3}")]
    [InlineData("""{"a":[]}""", " a={}")]
    [InlineData("""{"a":[null,-1]}""", " a={(fault),18446744073709551615}")]
    [InlineData("""{"a":["x","y"],"b":1}""", " a={\"x\",\"y\"} b=0x1")]
    [InlineData("""{"a":"x\"y","b":1}""", " a=\"x\\\"y\" b=0x1")]
    [InlineData("""{"a":"x\\","b":1}""", " a=\"x\\\\\" b=0x1")]
    [InlineData("""{"a":"","b":1}""", " a=\"\" b=0x1")]
    [InlineData("""{"a":true}""", " a=true")]
    [InlineData("""{"a":1.5,"b":1}""", " a=1.5 b=0x1")]
    [InlineData("""{"a":18446744073709551616}""", " a=18446744073709551616")]
    [InlineData("""{"a":7""", " a=7")]
    [InlineData("""{"a":""", " a=")] // what does not parse ends the line
    [InlineData("""{"a""", "")]
    [InlineData("""{"a":"x""", " a=")]
    [InlineData("""{"a":"x\""", " a=")]
    [InlineData("""{"a":nul""", " a=")]
    [InlineData("""{"a":[1,2""", " a={1,2}")]
    [InlineData("""{"a":[1,"x""", " a={1,")]
    [InlineData("""{"a":,"b":1}""", " a=")]
    [InlineData("""{"a":1]"b":1}""", " a=1 b=0x1")]
    [InlineData("{\"a\u0007\":1}", " a\\x07=1")]
    public void Arguments_stand_in_a_line(string json, string expected) => Assert.Equal(expected, Print(json, "u64"));

    [Theory]
    [InlineData(Most - 2, false)]
    [InlineData(Most - 1, true)]
    public void Text_that_is_longer_than_is_printed_ends_in_an_ellipsis(int length, bool isCut)
    {
        string text = new('x', length);

        Assert.Equal(
            isCut ? $" a=\"{new string('x', Most - 1)}…\"" : $" a=\"{text}\"",
            Print($$"""{"a":"{{text}}"}""", "string"));
    }

    [Theory]
    [InlineData("é", 2)]
    [InlineData("€", 3)]
    [InlineData("😀", 4)]
    [InlineData("\\n", 2)]
    public void Long_text_is_not_cut_within_a_character_or_an_escape(string character, int bytes)
    {
        for (int before = 0; before < bytes; before++)
        {
            string start = new('x', Most - 1 - bytes + before);
            string all = start + character + new string('y', 9);

            string whole = before == 0 ? character : "";
            Assert.Equal($" a=\"{start}{whole}…\"", Print($$"""{"a":"{{all}}"}""", "string"));
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1)]
    public void Arguments_behind_what_is_printed_are_left_out(int more)
    {
        // The second name begins right at the last byte that is printed, before or behind it.
        string text = new('x', Most - """{"a":"",""".Length + more);

        string expected = text.Length + 2 > Most ? throw new InvalidOperationException() : $" a=\"{text}\"" + (more > 0 ? " …" : " b=0x1");
        Assert.Equal(expected, Print($$"""{"a":"{{text}}","b":1}""", "string"));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1)]
    public void Elements_behind_what_is_printed_are_left_out(int more)
    {
        string text = new('x', Most - """{"a":["",""".Length + more);

        string json = $$"""{"a":["{{text}}",7,8]}""";
        Assert.Equal($" a={{\"{text}\"," + (more > 0 ? "…" : more == 0 ? "0x7…" : "0x7,…"), Print(json, "string"));
    }

    private static string Print(string json, string type)
    {
        using MemoryStream stream = new();
        using (Utf8Output output = new(stream, leaveOpen: true))
        {
            ArgumentText.Write(
                Encoding.UTF8.GetBytes(json), [new TraceArgument("a", type)], output,
                address => output.Write(string.Create(CultureInfo.InvariantCulture, $"<{address:x}>")));
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
