using KprobeTrace.Cpu;
using KprobeTrace.Probes;
using Xunit;

namespace KprobeTrace.Tests.Probes;

public sealed unsafe class EventFilterTests
{
    private readonly FakeFetchEnvironment _environment = new();
    private readonly ProbeDefinition _definition;
    private readonly FetchBuffer _values;

    public EventFilterTests()
    {
        PtRegs registers = new() { Ax = 10, Bx = ulong.MaxValue, Cx = 0x1ff, Si = 0x40_0000 };
        _environment.WriteText(0x40_0000, "/etc/passwd");
        _definition = ProbeDefinition.Parse(
            "p fn a=%ax:u32 s=%bx:s16 b=%cx:x8 str=+0(%si):ustring ptr=%si arr=+0(%si):u8[2] lie=+0(%dx):string gone=+0(%dx) bad=%dx");
        FetchProgram program = _definition.CompileArguments();
        _values = program.CreateBuffer();
        // SAFETY: a local of this frame, alive through the call.
        program.Execute(&registers, _environment, _values);
    }

    [Theory]
    [InlineData("a == 10", true)]
    [InlineData("a != 10", false)]
    [InlineData("a==0xa", true)]
    [InlineData("a == 012", true)]
    [InlineData("a < 11 && a > 9", true)]
    [InlineData("a <= 9 || a >= 11", false)]
    [InlineData("a & 2", true)]
    [InlineData("a & 5", false)]
    [InlineData("s == -1", true)]
    [InlineData("s < 0", true)]
    [InlineData("b == 0xff", true)]
    [InlineData("a == 4294967306", true)]
    [InlineData("str == \"/etc/passwd\"", true)]
    [InlineData("str == '/etc/passw'", false)]
    [InlineData("str != '/etc/passw'", true)]
    [InlineData("str ~ '/etc/*'", true)]
    [InlineData("str ~ '*pass*'", true)]
    [InlineData("str ~ '*wd'", true)]
    [InlineData("str ~ '/etc/passw?'", true)]
    [InlineData("str ~ '/e[a-z]c/[!x]*'", true)]
    [InlineData("str ~ '/e[!a-z]c/*'", false)]
    [InlineData("str ~ 'etc'", false)]
    [InlineData("str ~ '*'", true)]
    [InlineData("lie == ''", false)]
    [InlineData("lie != ''", false)]
    [InlineData("!(lie == '')", false)]
    [InlineData("!(lie != '')", false)]
    [InlineData("lie ~ '*'", false)]
    [InlineData("gone == 0", false)]
    [InlineData("gone != 0", false)]
    [InlineData("gone < 1", false)]
    [InlineData("gone >= 0", false)]
    [InlineData("gone & 1", false)]
    [InlineData("!(gone & 1)", false)]
    [InlineData("!!(gone == 0)", false)]
    [InlineData("gone == 0 || a == 10", true)]
    [InlineData("a == 10 && gone == 0", false)]
    [InlineData("!(gone == 0 || a == 1)", false)]
    [InlineData("!(gone == 0 && a == 1)", true)]
    [InlineData("!(gone == 0 && a == 10)", false)]
    [InlineData("!(a == 1 && gone == 0)", true)]
    [InlineData("!(!(gone == 0 && a == 10))", false)]
    [InlineData("gone.ustring == ''", false)]
    [InlineData("gone.ustring != ''", false)]
    [InlineData("bad.ustring == ''", false)]
    [InlineData("!(bad.ustring == '')", false)]
    [InlineData("ptr.ustring ~ '*passwd'", true)]
    [InlineData("ptr.ustring == 'x'", false)]
    [InlineData("comm == 'cat'", true)]
    [InlineData("COMM ~ 'd*'", false)]
    [InlineData("cpu == 3 && CPU == 3 && common_cpu == 3", true)]
    [InlineData("common_pid == 92", true)]
    [InlineData("common_type == 0 && common_flags == 0 && common_preempt_count == 0", true)]
    [InlineData("__probe_ip == 0xffffffff81000000", true)]
    [InlineData("!a == 10", false)]
    [InlineData("!(a == 10 && s == 0)", true)]
    [InlineData("!(a == 10 || s == 0)", false)]
    [InlineData("!!(a == 10)", true)]
    [InlineData("a == 1 && s == -1 || b == 255", true)]
    [InlineData("b == 255 || s == -1 && a == 1", true)]
    [InlineData("(b == 255 || s == -1) && a == 1", false)]
    [InlineData("((a == 1) || ((s == -1) && !(b != 255)))", true)]
    [InlineData("a == 1 || a == 2 || a == 10", true)]
    [InlineData("a == 10 && a == 10 && a == 1", false)]
    [InlineData("  a==10&&s==-1  ", true)]
    [InlineData("0", true)]
    public void Expressions_decide_as_written(string text, bool expected)
    {
        EventFilter filter = EventFilter.Parse(text, _definition);

        Assert.Equal(expected, filter.Matches(_values, FakeProbeTarget.Function, 0, _environment));
    }

    [Theory]
    [InlineData("a ?= 10", "Invalid operator", 3)]
    [InlineData("a", "Invalid operator", 1)]
    [InlineData("(a == 10", "Too many '('", 0)]
    [InlineData("a == 10 && ((s == 1)", "Too many '('", 11)]
    [InlineData("a == 10)", "Too few '('", 7)]
    [InlineData("str == 'abc", "Missing matching quote", 7)]
    [InlineData("a == 123456789012345678901234", "Operand too long", 29)]
    [InlineData("str == 1", "Expecting string field", 8)]
    [InlineData("a == 'x'", "Expecting numeric field", 6)]
    [InlineData("str < 'x'", "Illegal operation for field type", 7)]
    [InlineData("a ~ 5", "Illegal operation for field type", 5)]
    [InlineData("foo == 1", "Field not found", 4)]
    [InlineData("a == 1 && foo == 1", "Field not found", 14)]
    [InlineData("a == 12x", "Illegal integer value", 6)]
    [InlineData("a == -1", "Illegal integer value", 6)]
    [InlineData("a == 1 b == 2", "Too many terms in predicate expression", 7)]
    [InlineData("a == 1 & b == 2", "Too many terms in predicate expression", 7)]
    [InlineData("a == 1 | b == 2", "Too many terms in predicate expression", 7)]
    [InlineData("a == 1 &&", "Meaningless filter expression", 9)]
    [InlineData("a == 1 || ", "Meaningless filter expression", 9)]
    [InlineData("str == abc", "Invalid value (did you forget quotes)?", 8)]
    [InlineData("a == ", "Invalid value (did you forget quotes)?", 4)]
    [InlineData("", "No filter found", 0)]
    [InlineData("()", "No filter found", 1)]
    [InlineData("arr == 1", "Field not found", 4)]
    [InlineData("str.ustring == 'a'", "Illegal operation for field type", 12)]
    public void Refusals_have_the_kernels_text_and_column(string text, string message, int column)
    {
        Assert.False(EventFilter.TryParse(text, _definition, out _, out FilterError? error));

        Assert.Equal(message, error.Message);
        Assert.Equal(column, error.Column);
    }

    [Fact]
    public void Refusal_shows_expression_caret_and_text()
    {
        ProbeSyntaxException refused =
            Assert.Throws<ProbeSyntaxException>(() => EventFilter.Parse("foo == 1", _definition));

        Assert.Equal("bad filter\nfoo == 1\n    ^\nparse_error: Field not found", refused.Message);
    }

    [Fact]
    public void Deep_nesting_neither_overflows_nor_hangs()
    {
        string text = new string('(', 2000) + "a == 10" + new string(')', 2000);

        EventFilter filter = EventFilter.Parse(text, _definition);

        Assert.True(filter.Matches(_values, 0, 0, _environment));
        Assert.False(EventFilter.TryParse(new string('!', 5000), _definition, out _, out _));
    }

    [Fact]
    public void Return_probes_have_their_own_address_fields()
    {
        ProbeDefinition definition = ProbeDefinition.Parse("r fn $retval");
        FetchBuffer values = definition.CompileArguments().CreateBuffer();

        EventFilter filter = EventFilter.Parse("__probe_func == 0x10 && __probe_ret_ip == 0x20", definition);

        Assert.True(filter.Matches(values, 0x10, 0x20, _environment));
        Assert.False(EventFilter.TryParse("__probe_ip == 1", definition, out _, out _));
    }

    [Fact]
    public void Values_above_255_characters_are_refused()
    {
        Assert.True(EventFilter.TryParse($"str == '{new string('x', 255)}'", _definition, out _, out _));
        Assert.False(EventFilter.TryParse($"str == '{new string('x', 256)}'", _definition, out _, out FilterError? e));
        Assert.Equal(FilterErrorCode.OperandTooLong, e.Code);
    }

    /// <summary>Texts of the user's that begin anywhere in a piece of 64 bytes and end in the next, in one behind it, or nowhere.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(62)]
    [InlineData(63)]
    public void A_text_behind_a_pointer_is_read_to_its_end_and_no_further_than_512_bytes(int offset)
    {
        ulong address = 0x50_0000 + (ulong)offset;
        PtRegs registers = new() { Si = address };
        ProbeDefinition definition = ProbeDefinition.Parse("p fn ptr=%si");
        FetchProgram program = definition.CompileArguments();
        FetchBuffer values = program.CreateBuffer();
        // SAFETY: a local of this frame, alive through the call.
        program.Execute(&registers, _environment, values);
        foreach (int length in (int[])[0, 1, 63, 64, 65, 127, 128, 129, 200, 254])
        {
            string text = string.Concat(Enumerable.Range(0, length).Select(i => (char)('a' + (i % 26))));
            _environment.WriteText(address, text);

            Assert.True(EventFilter.Parse($"ptr.ustring == '{text}'", definition).Matches(values, 0, 0, _environment), $"{length}");
            Assert.False(EventFilter.Parse($"ptr.ustring == '{text}x'", definition).Matches(values, 0, 0, _environment), $"{length}");
        }

        _environment.Write(address, Enumerable.Repeat((byte)'x', 600).ToArray());
        Assert.True(EventFilter.Parse("ptr.ustring ~ '*x'", definition).Matches(values, 0, 0, _environment));
    }
}
