using System.Text;
using KprobeTrace.Export;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Export;

public sealed class CtfEventClassTests
{
    [Theory]
    [InlineData("u8", "uint64_t")]
    [InlineData("u64", "uint64_t")]
    [InlineData("s8", "int64_t")]
    [InlineData("s64", "int64_t")]
    [InlineData("x8", "xint64_t")]
    [InlineData("x64", "xint64_t")]
    [InlineData("", "xint64_t")]
    [InlineData("symbol", "xint64_t")]
    [InlineData("b4@2/8", "uint64_t")]
    public void A_number_is_declared_as_its_type_shows_it(string type, string declared)
    {
        Assert.Contains($"\n        {declared} _a;\n", Declared(CtfArguments.All, ("a", type)), StringComparison.Ordinal);
        Assert.Contains($"{declared} value; }} _a;\n", Declared(CtfArguments.Some, ("a", type)), StringComparison.Ordinal);
    }

    [Fact]
    public void What_may_be_unreadable_has_a_tag_that_no_argument_has()
    {
        string text = Declared(CtfArguments.Some, ("x", "u8"), ("is_x", "u8"), ("is_is_x", "u8"), ("is_x_", "u8"), ("y", "u8"));

        Assert.Contains("} _is_x__;\n        variant <_is_x__> { struct { } unreadable; uint64_t value; } _x;\n", text, StringComparison.Ordinal);
        Assert.Contains("} _is_is_x_;\n        variant <_is_is_x_> { struct { } unreadable; uint64_t value; } _is_x;\n", text, StringComparison.Ordinal);
        Assert.Contains("} _is_y;\n        variant <_is_y> { struct { } unreadable; uint64_t value; } _y;\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_what_an_event_has_is_declared()
    {
        ExportProbe probe = Probe(("a", "u8"));
        foreach (CtfArguments arguments in Enum.GetValues<CtfArguments>())
        {
            foreach ((bool hasTask, bool hasFault) in ((bool, bool)[])[(false, false), (false, true), (true, false), (true, true)])
            {
                StringBuilder text = new();
                new CtfEventClass(probe, 2, hasTask, hasFault, arguments).Declare(text, 7, "\"read:fault\"");

                Assert.StartsWith("event {\n    id = 7;\n    name = \"read:fault\";\n    stream_id = 0;\n", text.ToString(), StringComparison.Ordinal);
                Assert.Equal(hasTask, text.ToString().Contains("context := struct { int32_t _pid; string _comm; };", StringComparison.Ordinal));
                Assert.Equal(hasFault, text.ToString().Contains("uint8_t _vector;\n        uint32_t _error_code;\n        xint64_t _cr2;\n        uint8_t _handled;\n", StringComparison.Ordinal));
                Assert.Equal(arguments != CtfArguments.None, text.ToString().Contains(" _a;\n", StringComparison.Ordinal));
                Assert.Equal(arguments == CtfArguments.Some, text.ToString().Contains("variant", StringComparison.Ordinal));
            }
        }
    }

    [Theory]
    [InlineData(0, "read")]
    [InlineData(1, "read:post")]
    [InlineData(2, "read:fault")]
    [InlineData(3, "read")]
    public void Kinds_that_ftrace_does_not_have_stand_behind_a_colon(int kind, string name) =>
        Assert.Equal(name, new CtfEventClass(Probe(), kind, false, false, CtfArguments.None).Name);

    [Fact]
    public void Classes_are_the_same_where_each_part_is()
    {
        CtfEventClass shape = new(Probe(), 1, true, true, CtfArguments.Some);

        Assert.Equal(shape, shape with { Probe = Probe(("b", "u8")) });
        Assert.NotEqual(shape, shape with { Probe = Probe() with { Id = 8 } });
        Assert.NotEqual(shape, shape with { Kind = 2 });
        Assert.NotEqual(shape, shape with { HasTask = false });
        Assert.NotEqual(shape, shape with { HasFault = false });
        Assert.NotEqual(shape, shape with { Arguments = CtfArguments.All });
    }

    private static string Declared(CtfArguments shape, params (string Name, string Type)[] arguments)
    {
        StringBuilder text = new();
        new CtfEventClass(Probe(arguments), 0, true, false, shape).Declare(text, 1, "\"read\"");
        return text.ToString();
    }

    private static ExportProbe Probe(params (string Name, string Type)[] arguments) => new(
        3, "read", "vfs_read", 0x1000, [.. arguments.Select(static a => new TraceArgument(a.Name, a.Type))]);
}
