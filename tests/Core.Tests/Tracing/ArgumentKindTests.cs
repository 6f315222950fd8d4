using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Tracing;

/// <summary>Types of arguments as docs/probes.md spells them, and what a foreign trace may say.</summary>
public sealed class ArgumentKindTests
{
    [Theory]
    [InlineData("", "Hex number wide address")]
    [InlineData("x64", "Hex number wide address")]
    [InlineData("x16", "Hex number address")]
    [InlineData("x64[2]", "Hex array address")]
    [InlineData("u64", "Unsigned number wide")]
    [InlineData("u16", "Unsigned number")]
    [InlineData("u64[1]", "Unsigned array")]
    [InlineData("s64", "Signed number")]
    [InlineData("s16", "Signed number")]
    [InlineData("b3@1/8", "Unsigned number")]
    [InlineData("b64@0/64", "Unsigned number wide")]
    [InlineData("symbol", "Symbol number wide address")]
    [InlineData("symbol[2]", "Symbol array address")]
    [InlineData("symstr", "Text")]
    [InlineData("string", "Text")]
    [InlineData("ustring[3]", "Text array")]
    [InlineData("char", "Character number")]
    [InlineData("whatever", "Hex number address")]
    public void Type_says_how_values_are_printed_and_kept(string type, string kind)
    {
        ArgumentKind parsed = new TraceArgument("a", type).Kind;

        Assert.Equal(
            kind,
            $"{parsed.Style}{(parsed.IsNumber ? " number" : "")}{(parsed.IsArray ? " array" : "")}{(parsed.IsUnsigned64 ? " wide" : "")}{(parsed.IsAddress ? " address" : "")}");
    }
}
