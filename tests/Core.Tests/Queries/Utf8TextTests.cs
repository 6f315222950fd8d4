using System.Text;
using KprobeTrace.Queries;
using Xunit;

namespace KprobeTrace.Tests.Queries;

/// <summary>Each way of writing foreign text, every character of one byte and the borders of those of several.</summary>
public sealed class Utf8TextTests
{
    [Fact]
    public void No_control_character_reaches_a_reader()
    {
        for (int c = 0; c < 0x180; c++)
        {
            string text = char.ConvertFromUtf32(c);
            string visible = c switch
            {
                '\n' => "\\n",
                '\t' => "\\t",
                '\r' => "\\r",
                < 0x20 or (>= 0x7F and < 0xA0) => $"\\x{c:x2}",
                _ => text,
            };

            Assert.Equal(visible, Written(text, Utf8Text.WriteVisible));
            Assert.Equal($"a{visible}{visible}b", Written($"a{text}{text}b", Utf8Text.WriteVisible));
            Assert.Equal($"a{visible}b", Written($"a{text}b", Utf8Text.WriteName));
        }
    }

    [Fact]
    public void Half_a_character_at_the_end_stays_what_it_is() =>
        Assert.Equal([(byte)'a', 0xC2], Bytes([(byte)'a', 0xC2], Utf8Text.WriteVisible));

    [Theory]
    [InlineData("x", 1023, 1023)]
    [InlineData("x", 1024, 1024)]
    [InlineData("x", 1025, 1024)]
    [InlineData("é", 512, 512)]
    [InlineData("é", 513, 512)]
    [InlineData("€", 341, 341)]
    [InlineData("€", 342, 341)]
    [InlineData("😀", 256, 256)]
    [InlineData("😀", 257, 256)]
    public void Name_of_more_than_a_kibibyte_is_cut_off_behind_a_whole_character(string character, int count, int left) => Assert.Equal(
        string.Concat(Enumerable.Repeat(character, left)) + (left < count ? "…" : ""),
        Written(string.Concat(Enumerable.Repeat(character, count)), Utf8Text.WriteName));

    [Fact]
    public void Name_that_is_no_text_is_cut_off_too() =>
        Assert.Equal("…"u8.ToArray(), Bytes([.. Enumerable.Repeat((byte)0x80, 1025)], Utf8Text.WriteName));

    [Fact]
    public void Json_string_reads_back_as_it_was_and_has_nothing_that_ends_a_script()
    {
        for (int c = 0; c < 0x180; c++)
        {
            string text = $"a{char.ConvertFromUtf32(c)}b{char.ConvertFromUtf32(c)}";

            string json = Written(text, Utf8Text.WriteJsonString);

            Assert.Equal(text, System.Text.Json.JsonSerializer.Deserialize<string>(json));
            Assert.DoesNotContain(json, static j => j is < ' ' or '<' or '\u007F');
            Assert.Equal(c is >= 0x20 and not ('"' or '\\' or '<' or 0x7F), !json.Contains('\\', StringComparison.Ordinal));
        }

        Assert.Equal("\"\\n\\t\\u000d\\u003c\\\"\\\\\"", Written("\n\t\r<\"\\", Utf8Text.WriteJsonString));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("plain; text", "plain; text")]
    [InlineData("a,b", "\"a,b\"")]
    [InlineData("a\nb", "\"a\nb\"")]
    [InlineData("a\rb", "\"a\rb\"")]
    [InlineData("\"", "\"\"\"\"")]
    [InlineData("say \"so\"", "\"say \"\"so\"\"\"")]
    public void Csv_field_is_quoted_where_it_has_to_be(string text, string expected) => Assert.Equal(expected, Written(text, Utf8Text.WriteCsvField));

    [Fact]
    public void Bytes_are_two_digits_each()
    {
        byte[] all = [.. Enumerable.Range(0, 256).Select(static b => (byte)b)];

        Assert.Equal(Convert.ToHexStringLower(all), Encoding.UTF8.GetString(Bytes(all, Utf8Text.WriteHexBytes)));
    }

    private delegate void Writer(Utf8Output output, ReadOnlySpan<byte> text);

    private static string Written(string text, Writer write) => Encoding.UTF8.GetString(Bytes(Encoding.UTF8.GetBytes(text), write));

    private static byte[] Bytes(byte[] text, Writer write)
    {
        using MemoryStream stream = new();
        using (Utf8Output output = new(stream, leaveOpen: true))
        {
            write(output, text);
        }

        return stream.ToArray();
    }
}
