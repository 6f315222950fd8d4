using System.Text;
using KprobeTrace.Queries;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Queries;

public sealed class DiffContentTests
{
    [Theory]
    [InlineData("""{"x":1}""", """{"x":1}""", true, true)]
    [InlineData("""{"x":1}""", """{"x":2}""", false, false)]
    [InlineData("""{"x":999999}""", """{"x":999998}""", false, false)] // up to six digits count between two images
    [InlineData("""{"x":-999999}""", """{"x":-999998}""", false, false)]
    [InlineData("""{"x":1000000}""", """{"x":1000001}""", false, true)]
    [InlineData("""{"x":-1000000}""", """{"x":-1000001}""", false, true)]
    [InlineData("""{"x":1000000}""", """{"x":123456789012345}""", false, true)]
    [InlineData("""{"x":1000000}""", """{"x":999999}""", false, false)]
    [InlineData("""{"x":0}""", """{"x":-0}""", false, false)]
    [InlineData("""{"x":[1,2]}""", """{"x":[1,3]}""", false, false)]
    [InlineData("""{"x":[1000000,2]}""", """{"x":[2000000,2]}""", false, true)]
    [InlineData("""{"x":[1,1000000]}""", """{"x":[1,2000000]}""", false, true)]
    [InlineData("""{"x":[1,1000000]}""", """{"x":[2,1000000]}""", false, false)]
    [InlineData("""{"x":"1000000"}""", """{"x":"1000001"}""", false, false)] // texts count
    [InlineData("""{"x":"a:1000000"}""", """{"x":"a:1000001"}""", false, false)]
    [InlineData("""{"x":"a\",1000000"}""", """{"x":"a\",1000001"}""", false, false)]
    [InlineData("""{"x":"a\\","y":1000000}""", """{"x":"a\\","y":1000001}""", false, true)]
    [InlineData("""{"x":null}""", """{"x":1000000}""", false, false)]
    [InlineData("""{"x":1000000,"y":1}""", """{"x":2000000,"y":1}""", false, true)]
    [InlineData("""{"x":1000000,"y":1}""", """{"x":2000000,"y":2}""", false, false)]
    [InlineData("""{"x2000000":1}""", """{"x3000000":1}""", false, false)] // a name is no number
    [InlineData("", "", true, true)]
    [InlineData("", """{"x":1}""", false, false)]
    [InlineData("""{"x":"unended 1000000""", """{"x":"unended 1000001""", false, false)]
    public void Events_of_one_or_two_images_are_equal_by_what_counts(string a, string b, bool inOne, bool inTwo)
    {
        Assert.Equal(inOne, Hash(a, true) == Hash(b, true));
        Assert.Equal(inTwo, Hash(a, false) == Hash(b, false));
        Assert.Equal(inOne, Hash(a, true, "other") == Hash(b, true, "other"));
        Assert.Equal(inTwo, Hash(a, false, "other") == Hash(b, false, "other"));
        if (a.EndsWith('}') && b.EndsWith('}'))
        {
            Assert.Equal(inOne, Differences(a, b, true) == "");
            Assert.Equal(inTwo, Differences(a, b, false) == "");
        }
    }

    [Fact]
    public void Any_character_of_the_arguments_counts()
    {
        const string Text = """{"name":"/etc/passwd","flags":4711,"list":[1,-2,null]}""";
        HashSet<uint> hashes = [Hash(Text, true)];
        for (int i = 0; i < Text.Length; i++)
        {
            for (int bit = 0; bit < 7; bit++)
            {
                StringBuilder changed = new(Text);
                changed[i] = (char)(changed[i] ^ (1 << bit));
                Assert.True(hashes.Add(Hash(changed.ToString(), true)), $"bit {bit} of character {i}");
            }
        }
    }

    [Theory]
    [InlineData("""{"x":1,"y":2}""", """{"x":7,"y":2}""", "x", true)]
    [InlineData("""{"x":1,"y":2}""", """{"x":1,"y":7}""", "y", true)]
    [InlineData("""{"x":1,"y":2}""", """{"x":1,"y":7}""", "x", false)]
    [InlineData("""{"x":1,"y":2}""", """{"x":7,"y":2}""", "y", false)]
    [InlineData("""{"x":1,"y":2,"z":3}""", """{"x":7,"y":2,"z":7}""", "x z", true)]
    [InlineData("""{"x":1,"y":2,"z":3}""", """{"x":7,"y":7,"z":7}""", "x z", false)]
    [InlineData("""{"x":"a","y":2}""", """{"x":"b,\"y","y":2}""", "x", true)] // what a value looks like is not its end
    [InlineData("""{"x":"a","y":2}""", """{"x":"b\\","y":2}""", "x", true)]
    [InlineData("""{"x":"a\\\"","y":2}""", """{"x":"","y":2}""", "x", true)]
    [InlineData("""{"x":[1,2],"y":2}""", """{"x":[1,[2],3],"y":2}""", "x", true)]
    [InlineData("""{"x":["a]",2],"y":2}""", """{"x":[],"y":2}""", "x", true)]
    [InlineData("""{"x":{"a":1},"y":2}""", """{"x":{"a":{"b":[1]}},"y":2}""", "x", true)]
    [InlineData("""{"x":[1,2],"y":2}""", """{"x":[1],"y":3}""", "x", false)]
    [InlineData("""{"xx":1}""", """{"xx":2}""", "x", false)]
    [InlineData("""{"x":1}""", """{"x":2}""", "xx", false)]
    [InlineData("""{"x":null}""", """{"x":2}""", "x", true)]
    [InlineData("""{"x":1}""", """{}""", "x", true)]
    public void What_is_ignored_may_differ_and_nothing_else(string a, string b, string ignored, bool equal)
    {
        string[] names = ignored.Split(' ');
        foreach (bool sameImage in (bool[])[true, false])
        {
            Assert.Equal(equal, Hash(a, sameImage, names) == Hash(b, sameImage, names));
            Assert.Equal(equal, Differences(a, b, sameImage, names) == "");
        }
    }

    [Theory]
    [InlineData("x:u32", """{"x":7}""", """{"x":8}""", "x 7 8")]
    [InlineData("x:u64", """{"x":-1}""", """{"x":8}""", "x 18446744073709551615 8")]
    [InlineData("x:s64", """{"x":-1}""", """{"x":8}""", "x -1 8")]
    [InlineData("x:x64", """{"x":-1}""", """{"x":8}""", "x 0xffffffffffffffff 0x8")]
    [InlineData("x:symbol", """{"x":255}""", """{"x":16}""", "x 0xff 0x10")]
    [InlineData("x:", """{"x":255}""", """{"x":16}""", "x 0xff 0x10")]
    [InlineData("x:char", """{"x":65}""", """{"x":66}""", "x 65 66")]
    [InlineData("x:string", """{"x":"a"}""", """{"x":"b\n"}""", "x \"a\" \"b\\n\"")]
    [InlineData("x:x8[2]", """{"x":[1,2]}""", """{"x":null}""", "x [1,2] (fault)")]
    [InlineData("x:u8", """{}""", """{"x":1}""", "x  1")]
    [InlineData("x:u8", """{"x":1}""", "", "x 1 ")]
    [InlineData("x:u8 y:s8", """{"x":1,"y":2}""", """{"x":3,"y":-2}""", "x 1 3, y 2 -2")]
    [InlineData("x:u8 y:s8", """{"x":1,"y":2}""", """{"x":1,"y":-2}""", "y 2 -2")]
    [InlineData("x:u8", "[1]", """{"x":1}""", "x  1")] // a database may hold anything
    [InlineData("x:u8", "nothing", """{"x":1}""", "x  1")]
    public void Differences_are_printed_by_the_type_of_each(string types, string a, string b, string expected) =>
        Assert.Equal(expected, Differences(a, b, true, null, types));

    private static uint Hash(string arguments, bool sameImage, params string[]? ignored) =>
        DiffContent.Hash(Encoding.UTF8.GetBytes(arguments), sameImage, ignored is null or [] ? null : [.. ignored.Select(Encoding.UTF8.GetBytes)]);

    private static string Differences(string a, string b, bool sameImage, string[]? ignored = null, string types = "") => string.Join(
        ", ",
        DiffContent.Differences(
            Encoding.UTF8.GetBytes(a),
            Encoding.UTF8.GetBytes(b),
            sameImage,
            name => ArgumentKind.Parse(types.Split(' ').FirstOrDefault(t => t.StartsWith(name + ":", StringComparison.Ordinal))?[(name.Length + 1)..] ?? ""),
            ignored is null ? null : [.. ignored.Select(Encoding.UTF8.GetBytes)]).Select(static d => $"{d.Name} {d.A} {d.B}"));
}
