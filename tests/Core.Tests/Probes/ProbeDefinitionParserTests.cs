using System.Globalization;
using KprobeTrace.Probes;
using Xunit;

namespace KprobeTrace.Tests.Probes;

public sealed class ProbeDefinitionParserTests
{
    private static readonly FakeProbeTarget _target = new();

    public static TheoryData<string, int, int, string> Refused()
    {
        TheoryData<string, int, int, string> cases = [];
        foreach (string line in CaseTable.Lines("refused-definitions.txt"))
        {
            string[] parts = line.Split(" | ", 4);
            cases.Add(parts[3], int.Parse(parts[0], CultureInfo.InvariantCulture),
                int.Parse(parts[1], CultureInfo.InvariantCulture), parts[2]);
        }

        return cases;
    }

    public static TheoryData<string, string> Accepted()
    {
        TheoryData<string, string> cases = [];
        foreach (string line in CaseTable.Lines("accepted-definitions.txt"))
        {
            string[] parts = line.Split(" => ");
            cases.Add(parts[0], parts[1]);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void E12_refuses_with_the_kernels_text_and_column(string line, int column, int errno, string text)
    {
        bool accepted = ProbeDefinitionParser.TryParse(line, _target, out _, out ProbeError? error);

        Assert.False(accepted);
        Assert.Equal(text, error!.Message);
        Assert.Equal(column, error.Column);
        Assert.Equal(errno, (int)error.Errno);
        Assert.Equal(line, error.Command);
        Assert.True(error.IsLogged);
    }

    [Theory]
    [MemberData(nameof(Accepted))]
    public void Definitions_read_back_with_names_filled_in(string line, string expected)
    {
        Assert.True(ProbeDefinitionParser.TryParse(line, _target, out ProbeDefinition? definition, out ProbeError? error)
            || definition is null, error?.ToString());
        Assert.Equal(expected, definition?.ReadBack() ?? error!.ToString());
    }

    [Theory]
    [MemberData(nameof(Accepted))]
    public void What_reads_back_defines_the_same_probe(string line, string expected)
    {
        ProbeDefinition again = ProbeDefinition.Parse(expected, _target);

        Assert.NotEqual(line, string.Empty);
        Assert.Equal(expected, again.ReadBack());
    }

    [Theory]
    [InlineData("a:ev fn")]
    [InlineData("p")]
    [InlineData("p:ev")]
    [InlineData("p /bin/sh:0x10")]
    [InlineData("p fn $comm:x64")]
    [InlineData("p fn $comm:string[2]")]
    [InlineData("p fn $COMM:x64")]
    [InlineData("p fn \\\"abc\":u8")]
    public void E11_some_refusals_leave_no_log_entry(string line)
    {
        Assert.False(ProbeDefinitionParser.TryParse(line, _target, out _, out ProbeError? error));

        Assert.False(error.IsLogged);
        Assert.Equal(ProbeErrno.Invalid, error.Errno);
        Assert.Empty(error.ToErrorLog());
        Assert.NotNull(error.Detail);
    }

    [Fact]
    public void E12_log_entry_has_command_and_caret_lines()
    {
        Assert.False(ProbeDefinitionParser.TryParse("p  fn   %nosuch", _target, out _, out ProbeError? error));

        Assert.Equal(
            "[    1.500000] trace_kprobe: error: Invalid register name\n"
            + "  Command: p fn %nosuch\n"
            + "                ^\n",
            error.ToErrorLog(1_500_000_000));
    }

    [Fact]
    public void E12_exception_carries_the_caret()
    {
        ProbeSyntaxException refused =
            Assert.Throws<ProbeSyntaxException>(() => ProbeDefinition.Parse("p fn %nosuch", _target));

        Assert.Equal("bad probe definition\np fn %nosuch\n     ^\nInvalid register name", refused.Message);
    }

    [Fact]
    public void E13_suffix_return_and_r_read_back_alike()
    {
        ProbeDefinition suffix = ProbeDefinition.Parse("p:ev fn%return $retval", _target);
        ProbeDefinition letter = ProbeDefinition.Parse("r:ev fn $retval", _target);

        Assert.True(suffix.IsReturn);
        Assert.Equal(letter.ReadBack(), suffix.ReadBack());
        Assert.Equal("r10:kprobes/ev fn arg1=$retval", suffix.ReadBack(10));
    }

    [Fact]
    public void E14_offset_may_reach_into_the_next_symbol_but_not_wrap()
    {
        Assert.Equal(70u, ProbeDefinition.Parse("p fn+70", _target).Place.Offset);
        Assert.False(ProbeDefinitionParser.TryParse("p fn-1", _target, out _, out _));
        Assert.False(ProbeDefinitionParser.TryParse("p fn+0xffffffffffffffff", _target, out _, out _));
    }

    [Fact]
    public void E07_auto_names_replace_colon_and_dot()
    {
        Assert.Equal("p_fn_0", ProbeDefinition.Parse("p fn").Event);
        Assert.Equal("p_mod_fn_0", ProbeDefinition.Parse("p mod:fn").Event);
        Assert.Equal("p_fn_isra_0_0", ProbeDefinition.Parse("p fn.isra.0").Event);
        Assert.Equal("r_fn_0", ProbeDefinition.Parse("p fn%return").Event);
    }

    [Fact]
    public void Symbol_of_an_unloaded_module_is_accepted_and_unknown_in_a_loaded_one_is_not()
    {
        FakeProbeTarget target = new();
        Assert.True(ProbeDefinitionParser.TryParse("p mod:gone @nosuch", target, out _, out _));

        target.Modules.Add("mod");
        Assert.False(ProbeDefinitionParser.TryParse("p mod:gone", target, out _, out ProbeError? error));
        Assert.Equal(ProbeErrno.NoEntry, error.Errno);
    }

    [Fact]
    public void Arguments_after_the_128th_are_dropped_with_a_warning()
    {
        ProbeDefinition definition =
            ProbeDefinition.Parse("p fn " + string.Join(' ', Enumerable.Repeat("%ax", 130)), _target);

        Assert.Equal(128, definition.Arguments.Count);
        Assert.Single(definition.Warnings);
    }

    [Fact]
    public void Record_above_3072_bytes_is_refused()
    {
        string line = "p fn " + string.Join(' ', Enumerable.Range(0, 7).Select(i => $"a{i}=+0(%di):u64[64]"));

        Assert.False(ProbeDefinitionParser.TryParse(line, _target, out _, out ProbeError? error));
        Assert.Equal("Event too big (too many fields?)", error.Message);
        Assert.Equal(ProbeErrno.TooBig, error.Errno);
        Assert.Equal(line.LastIndexOf("a6=", StringComparison.Ordinal), error.Column);
    }

    [Fact]
    public void Line_above_4094_characters_is_refused()
    {
        Assert.False(ProbeDefinitionParser.TryParse("p fn " + new string('a', 5000), _target, out _, out ProbeError? e));
        Assert.NotNull(e.Detail);
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("# only a comment")]
    public void Line_without_words_is_no_definition(string line)
    {
        Assert.False(ProbeDefinitionParser.TryParse(line, _target, out _, out ProbeError? error));
        Assert.Equal(string.Empty, error.Command);
    }

    [Fact]
    public void Registration_errors_blame_the_place()
    {
        ProbeDefinition definition = ProbeDefinition.Parse("p:g/ev fn+3 %ax", _target);

        ProbeError boundary = ProbeError.OfRegistration(definition, -84, null);
        ProbeError refused = ProbeError.OfRegistration(definition, -22, "blacklisted");

        Assert.Equal("Probe point is not an instruction boundary", boundary.Message);
        Assert.Equal(ProbeErrno.IllegalSequence, boundary.Errno);
        Assert.Equal(7, boundary.Column);
        Assert.Equal("Failed to register probe event", refused.Message);
        Assert.Equal("p:g/ev fn+3 %ax\n       ^\nFailed to register probe event (blacklisted)", refused.ToString());
    }
}
