using System.Text;
using System.Text.Json;
using KprobeTrace.Store;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Store;

public sealed class ArgumentJsonTests
{
    /// <summary>MessagePack arrays and the values of <c>a</c>, <c>b</c>, <c>c</c> that stand in the text.</summary>
    public static TheoryData<string, string> Arrays => new()
    {
        { "", "" },
        { "90", "" },
        { "9100", "0" },
        { "917f", "127" },
        { "91e0", "-32" },
        { "91ff", "-1" },
        { "91c0", "null" },
        { "91c2", "0" },
        { "91c3", "1" },
        { "91cc80", "128" },
        { "91ccff", "255" },
        { "91cd0100", "256" },
        { "91ce80000000", "2147483648" },
        { "91cf7fffffffffffffff", "9223372036854775807" },
        { "91cfffffffffffffffff", "-1" },
        { "91cf8000000000000000", "-9223372036854775808" },
        { "91d080", "-128" },
        { "91d07f", "127" },
        { "91d18000", "-32768" },
        { "91d2ffffff7f", "-129" },
        { "91d27fffffff", "2147483647" },
        { "91d38000000000000000", "-9223372036854775808" },
        { "91d30123456789abcdef", "81985529216486895" },
        { "91ca3f000000", "0.5" },
        { "91cbbff4000000000000", "-1.25" },
        { "91cb7ff0000000000000", "null" },
        { "91ca7fc00000", "null" },
        { "91a0", "\"\"" },
        { "91a161", "\"a\"" },
        { "91bf" + "6161616161616161616161616161616161616161616161616161616161616161"[..62], "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"" },
        { "91d90161", "\"a\"" },
        { "91da000161", "\"a\"" },
        { "91db0000000161", "\"a\"" },
        { "91c40161", "\"a\"" },
        { "91c5000161", "\"a\"" },
        { "91c60000000161", "\"a\"" },
        { "91a422" + "5c" + "0a" + "7f", "\"\\\"\\\\\\u000a\\u007f\"" },
        { "91a3001f20", "\"\\u0000\\u001f \"" },
        { "91a27e80", "\"~\\\\x80\"" },
        { "91a2c3a9", "\"é\"" },
        { "91a4c3a9ff0a", "\"é\\\\xff\\u000a\"" },
        { "91a3e282ac", "\"€\"" },
        { "91a2e282", "\"\\\\xe2\\\\x82\"" },
        { "9190", "[]" },
        { "91930102c0", "[1,2,null]" },
        { "9191a161", "[\"a\"]" },
        { "91dc0001ff", "[-1]" },
        { "91dd00000001ff", "[-1]" },
        { "93010203", "1 2 3" },
        { "920102", "1 2" },
        { "9401020304", "1 2 3" },
        { "dc0002017f", "1 127" },
        { "dd00000002017f", "1 127" },
        { "9301c0a0", "1 null \"\"" },

        // A map is no value of an argument.
        { "938001a0", "null 1 \"\"" },
        { "9381a161050207", "null 2 7" },

        // Eight arrays within each other are shown, a ninth is not.
        { "91" + "9191919191919191" + "05", "[[[[[[[[5]]]]]]]]" },
        { "92" + "919191919191919191" + "0506", "[[[[[[[[null]]]]]]]] 6" },
    };

    [Theory]
    [MemberData(nameof(Arrays))]
    public void An_array_becomes_an_object_with_the_names_of_the_arguments(string array, string values)
    {
        string[] parts = values.Length == 0 ? [] : values.Contains(' ', StringComparison.Ordinal) && !values.Contains("\\u001f ", StringComparison.Ordinal) ? values.Split(' ') : [values];
        string expected = parts.Length == 0 ? "" : "{" + string.Join(',', parts.Zip("abc", static (p, n) => $"\"{n}\":{p}")) + "}";

        Assert.Equal(expected, Convert(System.Convert.FromHexString(array)));
    }

    [Fact]
    public void Long_texts_grow_the_room_and_the_next_array_begins_anew()
    {
        ArgumentJson json = new();
        byte[][] keys = ArgumentJson.Keys([new TraceArgument("text", "string"), new TraceArgument("n", "s32")]);
        foreach (int length in (int[])[1000, 1015, 1016, 1017, 1024, 5000, 65535, 10])
        {
            foreach (byte unit in (byte[])[(byte)'a', (byte)'"', 0x01, 0xFF])
            {
                byte[] array = [0x92, 0xDA, (byte)(length >> 8), (byte)length, .. Enumerable.Repeat(unit, length), 0x07];
                using JsonDocument document = JsonDocument.Parse(Encoding.UTF8.GetString(json.Convert(array, keys)));

                string shown = unit switch { 0xFF => "\\xff", _ => ((char)unit).ToString() };
                Assert.Equal(string.Concat(Enumerable.Repeat(shown, length)), document.RootElement.GetProperty("text").GetString());
                Assert.Equal(7, document.RootElement.GetProperty("n").GetInt32());
            }
        }
    }

    [Fact]
    public void Whatever_a_reader_lets_through_becomes_JSON_with_the_names_in_order()
    {
        Random random = new(11);
        int whole = 0;
        for (int i = 0; i < 20_000; i++)
        {
            byte[] array = new byte[random.Next(1, 24)];
            random.NextBytes(array);
            array[0] = (byte)(0x90 | random.Next(5));
            if (Whole(array) is { } length)
            {
                using JsonDocument document = JsonDocument.Parse(Convert(array[..length]) is { Length: > 0 } text ? text : "{}");
                Assert.Equal("abc"[..Math.Min(3, array[0] & 15)], string.Concat(document.RootElement.EnumerateObject().Select(static p => p.Name)));
                whole++;
            }
        }

        Assert.True(whole > 5000, $"{whole} arrays");
    }

    /// <summary>Bytes of the array that stands first, null where a trace's reader refuses it.</summary>
    private static int? Whole(byte[] bytes)
    {
        try
        {
            MessagePackCursor cursor = new(bytes);
            cursor.SkipArray();
            return cursor.Position;
        }
        catch (MalformedTraceException)
        {
            return null;
        }
    }

    private static string Convert(byte[] array) => Encoding.UTF8.GetString(new ArgumentJson().Convert(
        array, ArgumentJson.Keys([new TraceArgument("a", "u64"), new TraceArgument("b", "u64"), new TraceArgument("c", "u64")])));
}
