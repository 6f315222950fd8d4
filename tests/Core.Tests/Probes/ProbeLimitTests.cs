using System.Globalization;
using System.Numerics;
using KprobeTrace.Cpu;
using KprobeTrace.Probes;
using Xunit;

namespace KprobeTrace.Tests.Probes;

/// <summary>Every limit of definitions and filters: the most that is accepted, one beyond, and the column that is blamed.</summary>
public sealed unsafe class ProbeLimitTests
{
    private static readonly FakeProbeTarget _target = new();

    /// <summary>Definitions; <c>{x*N}</c> stands for a character so many times, <c>^</c> for the column that is blamed.</summary>
    [Theory]
    [InlineData("p:{e*63} fn", null)]
    [InlineData("p:^{e*64} fn", "Event name is too long")]
    [InlineData("p:{g*63}/e fn", null)]
    [InlineData("p:^{g*64}/e fn", "Group name is too long")]
    [InlineData("p:g/{e*63} fn", null)]
    [InlineData("p:g/^{e*64} fn", "Event name is too long")]
    [InlineData("p fn {a*32}=%ax", null)]
    [InlineData("p fn ^{a*33}=%ax", "Argument name is too long")]
    [InlineData("p fn b=%bx ^{a*33}=%ax", "Argument name is too long")]
    [InlineData("p fn a=+{0*57}(%ax)", null)]
    [InlineData("p fn a=^+{0*59}(%ax)", "Argument expression is too long")]
    [InlineData("p fn a=^+{0*60}(%ax)", "Argument expression is too long")]
    [InlineData("r1 fn", null)]
    [InlineData("r4096 fn", null)]
    [InlineData("r^4097 fn", "Maxactive is too big")]
    [InlineData("r^4294967295 fn", "Maxactive is too big")]
    [InlineData("r^4294967296 fn", "Invalid maxactive number")]
    [InlineData("r^0 fn", "Invalid maxactive number")]
    [InlineData("r{0*62}1 fn", null)]
    [InlineData("r^{0*63}1 fn", "Invalid maxactive number")]
    [InlineData("p fn $stack2048", null)]
    [InlineData("p fn ^$stack2049", "Invalid stack number")]
    [InlineData("p fn a=%ax ^$stack2049", "Invalid stack number")]
    [InlineData("p fn $arg1 $arg2048", null)]
    [InlineData("p fn ^$arg0", "Invalid argument number")]
    [InlineData("p fn ^$arg2049", "Invalid argument number")]
    [InlineData("p fn +0(%di):u8[1] +0(%di):u8[64]", null)]
    [InlineData("p fn +0(%di):u8[^0]", "Invalid array size")]
    [InlineData("p fn +0(%di):u8[^65]", "Array number is too big")]
    [InlineData("p fn +0(%di):u8[^4294967295]", "Array number is too big")]
    [InlineData("p fn +0(%di):u8[^4294967296]", "Invalid array size")]
    [InlineData("p fn a=+0(%di):u8[^65]", "Array number is too big")]
    [InlineData("p fn a=+0(%di):u8[1]^x", "Array has wrong suffix")]
    [InlineData("p fn a=+0(%di):u8[1^", "Array is not closed")]
    [InlineData("p fn a=%di:^u8[1]", "String accepts only memory argument")]
    [InlineData("p fn a=%di:^string", "String accepts only memory argument")]
    [InlineData("p fn a=\\1:^symstr", "Symbol String doesn't accept data/userdata")]
    [InlineData("p fn a=$stack:^symstr", "Symbol String doesn't accept data/userdata")]
    [InlineData("p fn a=%di:^symstr[2]", "String accepts only memory argument")]
    [InlineData("p fn a=+9223372036854775807(%di)", null)]
    [InlineData("p fn a=^+9223372036854775808(%di)", "Invalid dereference offset")]
    [InlineData("p fn a=-9223372036854775808(%di)", null)]
    [InlineData("p fn a=^-9223372036854775809(%di)", "Invalid dereference offset")]
    [InlineData("p fn a=+0(^+x(%di))", "Invalid dereference offset")]
    [InlineData("p fn a=+0(^-x(%di))", "Invalid dereference offset")]
    [InlineData("p fn a=-8(^%nosuch)", "Invalid register name")]
    [InlineData("p fn a=+8(^%nosuch)", "Invalid register name")]
    [InlineData("p fn a=+8(-16(^%nosuch))", "Invalid register name")]
    [InlineData("p fn a=\\18446744073709551615", null)]
    [InlineData("p fn a=\\^18446744073709551616", "Invalid immediate value")]
    [InlineData("p fn a=\\-9223372036854775808", null)]
    [InlineData("p fn a=\\^-9223372036854775809", "Invalid immediate value")]
    [InlineData("p fn a=\\+9223372036854775807", null)]
    [InlineData("p fn a=\\^+9223372036854775808", "Invalid immediate value")]
    [InlineData("p fn a=@18446744073709551615", null)]
    [InlineData("p fn a=^@18446744073709551616", "Invalid memory address")]
    [InlineData("p fn a=%ax:b1@0/8 b=%ax:b8@0/8 c=%ax:b7@1/8 d=%ax:b1@7/8 e=%ax:b64@0/64 f=%ax:b1@63/64", null)]
    [InlineData("p fn a=%ax:^b9@0/8", "Invalid bitfield")]
    [InlineData("p fn a=%ax:^b8@1/8", "Invalid bitfield")]
    [InlineData("p fn a=%ax:^b1@8/8", "Invalid bitfield")]
    [InlineData("p fn a=%ax:^b0@0/8", "Invalid bitfield")]
    [InlineData("p fn a=%ax:^b65@0/64", "Invalid bitfield")]
    [InlineData("p fn a=%ax:^b1@64/64", "Invalid bitfield")]
    [InlineData("p fn a=%ax:^b18446744073709551615@1/64", "Invalid bitfield")]
    [InlineData("p fn a=%ax:^b1@0/9", "Unknown type is specified")]
    [InlineData("p fn a=%ax:^b", "Unknown type is specified")]
    [InlineData("p fn a=%ax:^b1@0/", "Unknown type is specified")]
    [InlineData("p fn a=+0(%di):u64[64] b=+0(%di):u64[64] c=+0(%di):u64[64] d=+0(%di):u64[64] e=+0(%di):u64[64] f=+0(%di):u64[64]", null)]
    [InlineData("p fn a=+0(%di):u64[64] b=+0(%di):u64[64] c=+0(%di):u64[64] d=+0(%di):u64[64] e=+0(%di):u64[64] f=+0(%di):u64[64] ^g=%di:u8", "Event too big (too many fields?)")]
    [InlineData("p fn+4294967295", null)]
    [InlineData("p ^fn+4294967296", "Invalid probed address or symbol")]
    [InlineData("p fn ^common_type=%ax", "This argument name is already used")]
    [InlineData("p fn ^common_flags=%ax", "This argument name is already used")]
    [InlineData("p fn ^common_preempt_count=%ax", "This argument name is already used")]
    [InlineData("p fn ^common_tgid=%ax", "This argument name is already used")]
    [InlineData("p fn ^__probe_ret_ip=%ax", "This argument name is already used")]
    [InlineData("p fn ^__probe_func=%ax", "This argument name is already used")]
    [InlineData("p fn common_typ=%ax", null)]
    [InlineData("p fn %ax ^arg1=%bx", "This argument name is already used")]
    [InlineData("p fn arg2=%ax ^%bx", "This argument name is already used")]
    public void A_definition_is_accepted_up_to_its_limits(string text, string? message)
    {
        string marked = Repeat(text);
        string line = marked.Replace("^", "", StringComparison.Ordinal);

        bool accepted = ProbeDefinitionParser.TryParse(line, _target, out _, out ProbeError? error);

        Assert.Equal(message, error?.Message);
        Assert.Equal(accepted, message is null);
        Assert.Equal(accepted ? -1 : marked.IndexOf('^', StringComparison.Ordinal), error?.Column ?? -1);
    }

    [Theory]
    [InlineData(128, 0)]
    [InlineData(129, 1)]
    public void There_are_128_arguments_and_the_word_stack_is_none(int count, int warnings)
    {
        string line = "p fn stack " + string.Join(' ', Enumerable.Repeat("%ax", count)) + " stack";

        ProbeDefinition definition = ProbeDefinition.Parse(line, _target);

        Assert.Equal((128, warnings), (definition.Arguments.Count, definition.Warnings.Count));
        Assert.True(definition.WantsStack);
        Assert.Equal("arg128", definition.Arguments[^1].Name);
    }

    [Fact]
    public void A_line_has_4094_characters_at_most()
    {
        Assert.True(ProbeDefinitionParser.TryParse("p fn".PadRight(4094), _target, out _, out _));
        Assert.False(ProbeDefinitionParser.TryParse("p fn".PadRight(4095), _target, out _, out ProbeError? error));
        Assert.Equal((ProbeErrorCode.Unlogged, 0), (error.Code, error.Column));
    }

    /// <summary>What is loaded from an address takes two steps, each dereference around it one; some stores need more of them.</summary>
    [Theory]
    [InlineData("", 13, ProbeErrorCode.TooManySteps)]
    [InlineData(":u8", 13, ProbeErrorCode.TooManySteps)]
    [InlineData(":string", 13, ProbeErrorCode.ArgumentTooLong)]
    [InlineData(":u8[2]", 12, ProbeErrorCode.TooManySteps)]
    [InlineData(":symstr", 12, ProbeErrorCode.TooManySteps)]
    [InlineData(":string[2]", 11, ProbeErrorCode.TooManySteps)]
    [InlineData(":b1@0/8", 12, ProbeErrorCode.BadBitfield)]
    public void An_argument_has_fifteen_steps_at_most(string type, int most, ProbeErrorCode beyond)
    {
        for (int depth = 0; depth <= most + 1; depth++)
        {
            string chain = string.Concat(Enumerable.Repeat("+0(", depth)) + "@1" + new string(')', depth);

            bool accepted = ProbeDefinitionParser.TryParse($"p fn {chain}{type}", _target, out _, out ProbeError? error);

            Assert.Equal((depth, depth <= most ? null : beyond), (depth, error?.Code));
            Assert.Equal(accepted, error is null);
        }
    }

    [Fact]
    public void Numbers_are_read_as_digits_times_powers()
    {
        const string Characters = "00xX1789aAfFgz+-_ ";
        Random random = new(21);
        List<string> texts =
        [
            "", "+", "-", "0", "00", "0x", "0x0", "0xg", "0X1f", "08", "010", "0778", "18446744073709551615", "18446744073709551616",
            "0xffffffffffffffff", "0x10000000000000000", "01777777777777777777777", "02000000000000000000000", "9223372036854775807",
            "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "+9223372036854775808", "--1", "++1", "+-1", "-+1", "1 ",
            "99999999999999999999999", "-0", "-0x8000000000000000", "-0x8000000000000001",
        ];
        for (int i = 0; i < 20_000; i++)
        {
            texts.Add(string.Concat(Enumerable.Range(0, random.Next(7)).Select(_ => Characters[random.Next(Characters.Length)])));
        }

        foreach (string text in texts)
        {
            foreach (int radix in (int[])[0, 10])
            {
                BigInteger? unsigned = Number(text.StartsWith('+') ? text[1..] : text, radix);
                bool isUnsigned = unsigned is not null && unsigned <= ulong.MaxValue;
                Assert.True(isUnsigned == ProbeNumber.TryParse(text, radix, out ulong value), text);
                Assert.True(!isUnsigned || unsigned == value, text);

                BigInteger? signed = text.StartsWith('-') ? -Number(text[1..], radix) : unsigned;
                bool isSigned = signed is not null && signed >= long.MinValue && signed <= long.MaxValue;
                Assert.True(isSigned == ProbeNumber.TryParseSigned(text, radix, out long other), text);
                Assert.True(!isSigned || signed == other, text);
            }
        }
    }

    [Theory]
    [InlineData("-:g/a", "h/a g/b g/c")]
    [InlineData("-:g.a", "h/a g/b g/c")]
    [InlineData("-:a", "g/b g/c")]
    [InlineData("-:g/", "h/a")]
    [InlineData("-:h/", "g/a g/a g/b g/c")]
    [InlineData("!p:h/a", "g/a g/a g/b g/c")]
    [InlineData("!:h/a", "g/a g/a g/b g/c")]
    [InlineData("-:g/a fn", "g/a h/a g/b g/c")]
    [InlineData("-:g/a fn x=%ax", "g/a h/a g/b g/c")]
    [InlineData("-:g/a fn %ax", "g/a h/a g/b g/c")]
    [InlineData("-:a fn", "g/a g/b g/c")]
    [InlineData("-:g/b fn%return", "g/a g/a h/a g/c")]
    [InlineData("-:g/b fn", "g/a g/a h/a g/c")]
    [InlineData("-:g/b fn $retval", "g/a g/a h/a g/c")]
    [InlineData("-:g/c 0xffffffff81000010", "g/a g/a h/a g/b")]
    [InlineData("-:g/c 18446744071578845200", null)]
    [InlineData("-:g/a fn+0", null)]
    [InlineData("-:g/a fn x=%bx", null)]
    [InlineData("-:g/a fn y=%ax", null)]
    [InlineData("-:g/a fn x=%ax x=%ax", null)]
    [InlineData("-:h/a fn %ax", null)]
    [InlineData("-:g/d", null)]
    [InlineData("-:i/", null)]
    [InlineData("-p:g/a", null)]
    [InlineData("-:", null)]
    [InlineData("-g/a", null)]
    [InlineData("!p g/a", null)]
    public void A_deletion_takes_out_what_it_names(string line, string? left)
    {
        const string All = "g/a g/a h/a g/b g/c";
        ProbeEventSet events = new(_target);
        foreach (string definition in (string[])["p:g/a fn x=%ax", "p:g/a nextfn x=%ax", "p:h/a fn", "r:g/b fn $retval", "p:g/c 0xffffffff81000010"])
        {
            Assert.True(events.Apply(definition, out ProbeDefinition? added, out _));
            Assert.True(events.Contains(added!));
        }

        Assert.Equal(left is not null, events.Apply(line, out ProbeDefinition? made, out ProbeError? error));

        Assert.Null(made);
        Assert.Equal(left is null, error is not null);
        Assert.Equal(left ?? All, string.Join(' ', events.Events.SelectMany(e => e.Probes.Select(_ => $"{e.Group}/{e.Name}"))));
        foreach (string name in All.Split(' '))
        {
            Assert.Equal((left ?? All).Contains(name, StringComparison.Ordinal), events.Find(name) is not null);
        }
    }

    [Fact]
    public void A_definition_that_was_taken_out_is_in_force_no_more()
    {
        ProbeEventSet events = new(_target);
        ProbeDefinition one = ProbeDefinition.Parse("p:g/a fn", _target);
        ProbeDefinition two = ProbeDefinition.Parse("p:g/a nextfn", _target);
        Assert.Null(events.Add(one));
        Assert.Null(events.Add(two));

        events.Remove(one);
        Assert.Equal((false, true), (events.Contains(one), events.Contains(two)));
        events.Remove(two);
        events.Remove(two);
        Assert.Empty(events.Events);
        Assert.False(events.Contains(two));
        Assert.Null(events.Add(one));
    }

    [Fact]
    public void Symbols_of_arguments_are_looked_up_anew_wherever_they_stand()
    {
        FakeProbeTarget target = new();
        FakeFetchEnvironment environment = new();
        ProbeDefinition definition = ProbeDefinition.Parse("p fn a=%ax b=@datasym+8:u64 c=\\7 d=+0(@late-8):u64");
        Assert.Equal("late", definition.ResolveData(target));

        target.Add("late", FakeProbeTarget.Data + 0x108);
        target.Add("datasym", FakeProbeTarget.Data + 0x200);
        environment.WriteWord(FakeProbeTarget.Data + 0x208, 11);
        environment.WriteWord(FakeProbeTarget.Data + 0x100, FakeProbeTarget.Data + 0x300);
        environment.WriteWord(FakeProbeTarget.Data + 0x300, 12);

        Assert.Null(definition.ResolveData(target));
        Assert.Equal("a=0x5 b=11 c=0x7 d=12", Fetch(definition, new PtRegs { Ax = 5 }, environment).Format());
    }

    [Fact]
    public void Without_symbols_an_address_prints_as_a_number_and_without_arguments_nothing_does()
    {
        Assert.Equal("a=0xabc", Fetch(ProbeDefinition.Parse("p fn a=%ax:symbol"), new PtRegs { Ax = 0xABC }, new()).Format());
        Assert.Equal("", Fetch(ProbeDefinition.Parse("p fn"), default, new()).Format());
    }

    [Theory]
    [InlineData("a == 00000000000000000000012", null)]
    [InlineData("a == 000000000000000000000012^", "Operand too long")]
    [InlineData("b == -000000000000000000000^2", null)]
    [InlineData("str == '{x*255}'", null)]
    [InlineData("str == '{x*256}'^", "Operand too long")]
    [InlineData("a == 1 || str == '{x*256}'^", "Operand too long")]
    [InlineData("a{ *4089} == 10", "Operand too long")]
    [InlineData("a{ *4088}==10", "ok")]
    [InlineData("a == 18446744073709551615", null)]
    [InlineData("a == 1^8446744073709551616", "Illegal integer value")]
    [InlineData("b == 9223372036854775807", null)]
    [InlineData("b == 9^223372036854775808", "Illegal integer value")]
    [InlineData("b == -9223372036854775808", null)]
    [InlineData("b == -^9223372036854775809", "Illegal integer value")]
    [InlineData("c.ustring ^== 'x'", "Illegal operation for field type")]
    [InlineData("a.ustring == 'x'", null)]
    [InlineData("a.ustring == 5^", "Expecting string field")]
    [InlineData("comm == 5^", "Expecting string field")]
    [InlineData("comm >= '^x'", "Illegal operation for field type")]
    [InlineData("comm & '^x'", "Illegal operation for field type")]
    [InlineData("a ~ '^x'", "Expecting numeric field")]
    public void A_filter_is_accepted_up_to_its_limits(string text, string? message)
    {
        ProbeDefinition definition = ProbeDefinition.Parse("p fn a=%ax b=%bx:s64 c=%cx:u32 str=+0(%si):string");
        string marked = Repeat(text);
        string filter = marked.Replace("^", "", StringComparison.Ordinal);

        bool accepted = EventFilter.TryParse(filter, definition, out _, out FilterError? error);

        Assert.Equal(message is null or "ok", accepted);
        Assert.Equal(message == "ok" ? null : message, error?.Message);
        if (!accepted)
        {
            int column = marked.IndexOf('^', StringComparison.Ordinal);
            Assert.Equal(column < 0 ? 4095 : column, error!.Column);
        }
    }

    [Theory]
    [InlineData(0UL, "[    0.000000]")]
    [InlineData(999UL, "[    0.000000]")]
    [InlineData(1_999UL, "[    0.000001]")]
    [InlineData(12_345_678_901_234UL, "[12345.678901]")]
    [InlineData(1_234_567_000_000_000UL, "[1234567.000000]")]
    public void An_entry_of_the_log_begins_with_the_time(ulong nanoseconds, string time)
    {
        Assert.False(ProbeDefinitionParser.TryParse("p fn %x", _target, out _, out ProbeError? error));

        Assert.Equal($"{time} trace_kprobe: error: Invalid register name\n  Command: p fn %x\n                ^\n", error.ToErrorLog(nanoseconds));
    }

    private static string Repeat(string text)
    {
        int open = text.IndexOf('{', StringComparison.Ordinal);
        if (open < 0)
        {
            return text;
        }

        int close = text.IndexOf('}', StringComparison.Ordinal);
        string run = new(text[open + 1], int.Parse(text.AsSpan(open + 3, close - open - 3), CultureInfo.InvariantCulture));
        return Repeat(text[..open] + run + text[(close + 1)..]);
    }

    private static BigInteger? Number(string digits, int radix)
    {
        if (radix == 0)
        {
            radix = 10;
            if (digits.StartsWith('0'))
            {
                radix = 8;
                if (digits.Length > 2 && digits[1] is 'x' or 'X' && char.IsAsciiHexDigit(digits[2]))
                {
                    radix = 16;
                    digits = digits[2..];
                }
            }
        }

        BigInteger value = 0;
        foreach (char c in digits)
        {
            int digit = "0123456789abcdefghijklmnopqrstuvwxyz".IndexOf(char.ToLowerInvariant(c), StringComparison.Ordinal);
            if (digit < 0 || digit >= radix)
            {
                return null;
            }

            value = (value * radix) + digit;
        }

        return digits.Length == 0 ? null : value;
    }

    private static FetchBuffer Fetch(ProbeDefinition definition, PtRegs registers, FakeFetchEnvironment environment)
    {
        FetchProgram program = definition.CompileArguments();
        FetchBuffer buffer = program.CreateBuffer();

        // SAFETY: a parameter of this frame, alive through the call.
        program.Execute(&registers, environment, buffer);
        return buffer;
    }
}
