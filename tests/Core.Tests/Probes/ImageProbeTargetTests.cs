using KprobeTrace.Probes;
using KprobeTrace.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Probes;

public sealed class ImageProbeTargetTests
{
    private const ulong Text = 0xFFFF_FFFF_8100_0000;

    private static readonly SymbolTable _symbols = Symbols();

    /// <summary>Only what could be meant is offered: functions where code is probed, and a module's own where it is named.</summary>
    [Theory]
    [InlineData("vfs_reed", true, "vfs_read")]
    [InlineData("jiffeis", false, "jiffies")]
    [InlineData("jiffeis", true, null)]
    [InlineData("loop:loop_configur", true, "loop_configure")]
    [InlineData("loop:vfs_reed", true, null)]
    [InlineData("brd:loop_configur", true, null)]
    [InlineData("loop_configur", true, "loop_configure")]
    [InlineData("loop:loop_majr", false, "loop_major")]
    [InlineData("loop:loop_majr", true, null)]
    public void A_misspelt_symbol_is_asked_for_among_those_that_it_can_be(string name, bool isText, string? meant)
    {
        string asked = new ImageProbeTarget(_symbols, types: null).AskForSymbol(name, isText);

        Assert.Equal(meant is null ? "" : $"; did you mean {meant}?", asked);
    }

    private static SymbolTable Symbols()
    {
        SymbolTable symbols = new([new Symbol("vfs_read", Text, 0x100, 'T', ""), new Symbol("jiffies", Text + 0x100_0000, 8, 'D', "")]);
        symbols.AddModule("loop", [(Text + 0x4000_0000, Text + 0x4000_2000)], [new Symbol("loop_configure", Text + 0x4000_0000, 0x80, 't', "loop"), new Symbol("loop_major", Text + 0x4000_1000, 4, 'd', "loop")]);
        return symbols;
    }
}
