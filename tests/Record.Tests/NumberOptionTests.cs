using System.CommandLine;
using KprobeTrace.Tools;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>Options that take numbers, and what is said of wrong command lines; shared by both tools.</summary>
public sealed class NumberOptionTests
{
    [Theory]
    [InlineData("3", 3, null)]
    [InlineData("7", 7, null)]
    [InlineData("2", 0, "--n wants a number from 3 to 7, not '2'")]
    [InlineData("8", 0, "--n wants a number from 3 to 7, not '8'")]
    [InlineData("99999999999", 0, "--n wants a number from 3 to 7, not '99999999999'")]
    [InlineData("x", 0, "--n wants a number from 3 to 7, not 'x'")]
    [InlineData(" 5", 0, "--n wants a number from 3 to 7, not ' 5'")]
    public void Whole_number_of_a_range(string text, int value, string? error)
    {
        Option<int> option = new Option<int>("--n").Whole(3, 7);
        Option<int?> optional = new Option<int?>("--n").Whole(3, 7);
        Option<int[]> several = new Option<int[]>("--n").Whole(3, 7);

        Same(Read(option, text), value, error);
        Same(Read(optional, text), value, error);
        (int[]? all, string[] errors) = Read(several, "4", text);
        Assert.Equal(error is null ? [] : [error], errors);
        Assert.Equal(error is null ? [4, value] : null, all);
    }

    [Theory]
    [InlineData("-3", -3, null)]
    [InlineData("+2", 2, null)]
    [InlineData("-4", 0, "--n wants a number from -3 to 2, not '-4'")]
    [InlineData("3", 0, "--n wants a number from -3 to 2, not '3'")]
    [InlineData("2-", 0, "--n wants a number from -3 to 2, not '2-'")]
    [InlineData("1.0", 0, "--n wants a number from -3 to 2, not '1.0'")]
    public void Whole_number_may_have_a_sign_in_front_of_it(string text, int value, string? error)
    {
        Same(Read(new Option<int>("--n").Whole(-3, 2), text), value, error);
        Same(Read(new Option<int?>("--n").Whole(-3, 2), text), value, error);
        (int[]? all, string[] errors) = Read(new Option<int[]>("--n").Whole(-3, 2), text, "1");
        Assert.Equal(error is null ? [] : [error], errors);
        Assert.Equal(error is null ? [value, 1] : null, all);
    }

    [Theory]
    [InlineData("1", 1, null)]
    [InlineData("127", 127, null)]
    [InlineData("0", 0, "--n wants a number of at least 1, not '0'")]
    [InlineData("128", 0, "--n wants a number of at least 1, not '128'")]
    [InlineData("999999999", 0, "--n wants a number of at least 1, not '999999999'")]
    [InlineData("1000000000", 0, "--n wants a number from 1 to 127, not '1000000000'")]
    [InlineData("100000000x", 0, "--n wants a number of at least 1, not '100000000x'")]
    public void Number_without_an_upper_bound_is_told_that_of_its_type_where_it_passes_all_that_count(string text, int value, string? error) =>
        Same(Read(new Option<sbyte>("--n").Whole((sbyte)1), text), (sbyte)value, error);

    [Theory]
    [InlineData("-128", -128, null)]
    [InlineData("x", 0, "--n wants a number, not 'x'")]
    [InlineData("-129", 0, "--n wants a number, not '-129'")]
    [InlineData("1000000000", 0, "--n wants a number from -128 to 127, not '1000000000'")]
    public void Number_without_bounds_is_only_a_number(string text, int value, string? error) =>
        Same(Read(new Option<sbyte>("--n").Whole(sbyte.MinValue), text), (sbyte)value, error);

    [Theory]
    [InlineData("0", 0, null)]
    [InlineData("0.5", 0.5, null)]
    [InlineData("2.25", 2.25, null)]
    [InlineData("2.26", 0, "--n wants a number from 0 to 2.25, not '2.26'")]
    [InlineData("-0.1", 0, "--n wants a number from 0 to 2.25, not '-0.1'")]
    [InlineData("0,5", 0, "--n wants a number from 0 to 2.25, not '0,5'")]
    [InlineData("1e0", 0, "--n wants a number from 0 to 2.25, not '1e0'")]
    public void Number_with_decimals(string text, double value, string? error) => Same(Read(new Option<double>("--n").Real(0, 2.25), text), value, error);

    [Theory]
    [InlineData("-1.5", -1.5, null)]
    [InlineData("-1.51", 0, "--n wants a number from -1.5 to -1, not '-1.51'")]
    [InlineData("-0.9", 0, "--n wants a number from -1.5 to -1, not '-0.9'")]
    [InlineData("1-", 0, "--n wants a number from -1.5 to -1, not '1-'")]
    public void Number_with_decimals_may_have_a_sign_in_front_of_it(string text, double value, string? error) =>
        Same(Read(new Option<double>("--n").Real(-1.5, -1), text), value, error);

    [Theory]
    [InlineData("IMAGE is missing")]
    [InlineData("'b' is one argument too many", "a", "b")]
    [InlineData("there is no option '--numbr'; did you mean --number?", "a", "--numbr")]
    [InlineData("there is no option '--numbr=3'; did you mean --number?", "a", "--numbr=3")]
    [InlineData("there is no option '--zzz'", "a", "--zzz")]
    [InlineData("there is no option '--secre'", "a", "--secre")]
    [InlineData("--number wants N behind it", "a", "--number")]
    [InlineData("--text wants a value behind it", "a", "--text")]
    [InlineData("--number is there 2 times; give it once", "a", "--number", "1", "-n", "2")]
    [InlineData("--number is there 3 times; give it once", "a", "-n", "1", "-n", "2", "-n", "3")]
    [InlineData("Argument 'bule' not recognized. Must be one of: 'blue', 'red'; did you mean blue?", "a", "--colour", "bule")]
    [InlineData("Argument 'x' not recognized. Must be one of: 'blue', 'red'", "a", "--colour", "x")]
    [InlineData("Argument 'x' not recognized. Must be one of: 'blue', 'red'", "-", "--colour", "x")]
    [InlineData("Argument 'bule' not recognized. Must be one of: 'blue', 'red'; did you mean blue?", "bule", "--colour", "bule")]
    public void Wrong_command_line_is_told_in_one_sentence(string said, params string[] line) =>
        Assert.Equal([said], UsageErrors.Of(Command().Parse(line)).Select(static e => e.TrimEnd('.')));

    [Theory]
    [InlineData("--zz", "--zzz", "there is no option '--zz'", "there is no option '--zzz'")]
    [InlineData("--zzz", "--zz", "there is no option '--zzz'", "there is no option '--zz'")]
    [InlineData("n", "x", "'n' is one argument too many", "'x' is one argument too many")]
    [InlineData("x-", "--zzzz", "'x-' is one argument too many", "there is no option '--zzzz'")]
    [InlineData("--zzz", "--zzz", "there is no option '--zzz'")]
    [InlineData("x", "x", "'x' is one argument too many")]
    [InlineData("x", "y' 'x", "'x' is one argument too many", "'y' 'x' is one argument too many")]
    [InlineData("y' 'x", "x", "'y' 'x' is one argument too many", "'x' is one argument too many")]
    [InlineData("--colour=x", "x", "'x' is one argument too many", "Argument 'x' not recognized. Must be one of: 'blue', 'red'")]
    public void What_is_wrong_twice_is_told_once_and_what_only_looks_like_it_has_its_own_sentence(string first, string second, params string[] said) =>
        Assert.Equal(said, UsageErrors.Of(Command().Parse(["a", first, second])));

    [Fact]
    public void Required_option_is_told_with_its_value()
    {
        RootCommand command = Command();
        command.Add(new Option<string>("--to") { HelpName = "FORMAT", Required = true });

        Assert.Equal(["--to FORMAT is missing"], UsageErrors.Of(command.Parse("a")));
        Assert.Empty(UsageErrors.Of(command.Parse(["a", "--to", "x", "-n", "3", "--colour", "red"])));
    }

    [Fact]
    public void Stream_of_results_can_be_written_and_nothing_else()
    {
        using StandardOutput stream = new();

        Assert.Equal((false, false, true), (stream.CanRead, stream.CanSeek, stream.CanWrite));
        Assert.Throws<NotSupportedException>(() => stream.Length);
        Assert.Throws<NotSupportedException>(() => stream.Position);
        Assert.Throws<NotSupportedException>(() => stream.Position = 1);
        Assert.Throws<NotSupportedException>(() => stream.SetLength(1));
        Assert.Throws<NotSupportedException>(() => stream.Seek(0, SeekOrigin.Begin));
        Assert.Throws<NotSupportedException>(() => stream.ReadByte());
    }

    [Theory]
    [InlineData(32, true)]
    [InlineData(31, false)]
    [InlineData(33, false)]
    [InlineData(28, false)]
    public void Reader_has_gone_away_where_the_system_says_EPIPE(int number, bool gone)
    {
        Assert.Equal(gone, StandardOutput.IsReaderGone(new IOException("x", number)));
        Assert.Equal(number, Errno.Of(new IOException("x", unchecked((int)0x8007_0000) | number)));
    }

    private static RootCommand Command()
    {
        Option<string> colour = new("--colour");
        colour.AcceptOnlyFromAmong("blue", "red");
        RootCommand command = new() { new Option<int>("--number", "-n") { HelpName = "N" }.Whole(1), new Option<string>("--text"), new Option<bool>("--secret") { Hidden = true }, colour };
        command.Add(new Argument<string>("IMAGE"));
        return command;
    }

    private static void Same<T>((T Value, string[] Errors) read, T value, string? error)
    {
        Assert.Equal(error is null ? [] : [error], read.Errors);
        if (error is null)
        {
            Assert.Equal(value, read.Value);
        }
    }

    private static (T? Value, string[] Errors) Read<T>(Option<T> option, params string[] values)
    {
        ParseResult result = new RootCommand { option }.Parse([.. values.SelectMany(static v => (string[])["--n", v])]);
        string[] errors = [.. result.Errors.Select(static e => e.Message)];
        return (errors.Length == 0 ? result.GetValue(option) : default, errors);
    }
}
