using Xunit;

namespace KprobeTrace.Tests;

/// <summary>What messages show of texts that are too long for them.</summary>
public sealed class ExcerptTests
{
    [Theory]
    [InlineData("short", 10, "short")]
    [InlineData("exactly ten", 11, "exactly ten")]
    [InlineData("0123456789abcdef", 9, "0123…cdef")]
    [InlineData("0123456789abcdef", 8, "012…cdef")]
    public void A_long_text_keeps_its_beginning_and_its_end(string text, int most, string shown) => Assert.Equal(shown, Excerpt.Of(text, most));

    [Fact]
    public void No_character_is_cut_in_two()
    {
        string text = string.Concat(Enumerable.Repeat("\U0001F600", 50_000));

        Assert.All(Enumerable.Range(5, 20), most => Assert.True(IsWhole(Excerpt.Of(text, most))));
        Assert.All(Enumerable.Range(0, 300).Concat([99_900, 99_999, 100_000]), column => Assert.True(IsWhole(Excerpt.At(text, column).Shown)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(119)]
    [InlineData(120)]
    [InlineData(121)]
    [InlineData(2_500_000)]
    [InlineData(4_999_990)]
    [InlineData(4_999_999)]
    public void The_caret_stays_under_the_character_it_is_about(int column)
    {
        char[] letters = new char[5_000_000];
        Array.Fill(letters, 'x');
        letters[column] = '!';

        (string shown, int at, string remark) = Excerpt.At(new string(letters), column);

        Assert.Equal('!', shown[at]);
        Assert.InRange(shown.Length, 1, Excerpt.MaxName);
        Assert.Equal($" (column {column + 1} of 5000000)", remark);
    }

    [Fact]
    public void The_column_behind_the_end_is_shown_too()
    {
        string text = new('x', 1000);

        (string shown, int at, _) = Excerpt.At(text, text.Length);

        Assert.Equal(shown.Length, at);
    }

    [Fact]
    public void Names_are_shown_whole_up_to_two_hundred_characters_and_lines_up_to_four_thousand()
    {
        Assert.Equal((200, 4000), (Excerpt.MaxName, Excerpt.MaxLine));
        Assert.Equal(new string('x', 200), Excerpt.Of(new string('x', 200)));
        Assert.Equal(new string('x', 99) + "…" + new string('x', 100), Excerpt.Of(new string('x', 201)));
    }

    [Theory]
    [InlineData(1, "…")]
    [InlineData(2, "…f")]
    [InlineData(3, "a…f")]
    [InlineData(4, "a…ef")]
    [InlineData(5, "ab…ef")]
    [InlineData(6, "abcdef")]
    public void However_few_characters_there_may_be_the_end_is_among_them(int most, string shown) => Assert.Equal(shown, Excerpt.Of("abcdef", most));

    [Theory]
    [InlineData("abc\U0001F600def", 6, "ab…def")]
    [InlineData("abc\U0001F600def", 7, "abc…def")]
    [InlineData("ab\U0001F600cd", 4, "a…cd")]
    [InlineData("\U0001F600bcdefgh", 4, "…gh")]
    [InlineData("abcdef\U0001F600", 4, "a…\U0001F600")]
    [InlineData("abcdefg\U0001F600h", 4, "a…\U0001F600h")]
    public void A_character_of_two_halves_at_the_cut_is_left_out_or_shown_whole(string text, int most, string shown) =>
        Assert.Equal(shown, Excerpt.Of(text, most));

    /// <summary>Sixty characters before the caret are shown and those behind it up to 180 in all; what begins sooner begins at the start.</summary>
    [Theory]
    [InlineData(200, 0, 0, 200)]
    [InlineData(200, 200, 0, 200)]
    [InlineData(201, 0, 0, 180)]
    [InlineData(201, 120, 0, 180)]
    [InlineData(201, 121, 61, 201)]
    [InlineData(201, 201, 141, 201)]
    [InlineData(1000, 1, 0, 180)]
    [InlineData(1000, 119, 0, 180)]
    [InlineData(1000, 120, 0, 180)]
    [InlineData(1000, 121, 61, 241)]
    [InlineData(1000, 500, 440, 620)]
    [InlineData(1000, 879, 819, 999)]
    [InlineData(1000, 880, 820, 1000)]
    [InlineData(1000, 999, 939, 1000)]
    [InlineData(1000, 1000, 940, 1000)]
    public void Around_a_caret_stands_this_part_of_a_text(int length, int column, int from, int to)
    {
        string text = string.Concat(Enumerable.Range(0, length).Select(i => (char)('!' + (i * 7 % 89))));

        (string shown, int at, string remark) = Excerpt.At(text, column);

        Assert.Equal((from > 0 ? "…" : "") + text[from..to] + (to < length ? "…" : ""), shown);
        Assert.Equal(column - from + (from > 0 ? 1 : 0), at);
        Assert.Equal(length > 200 ? $" (column {column + 1} of {length})" : "", remark);
    }

    [Fact]
    public void Message_stands_below_its_caret_and_what_would_steer_a_terminal_is_a_question_mark()
    {
        string longText = new string('x', 300) + "\u001b" + new string('y', 300);

        Assert.Equal("ab?d?\n   ^\nwrong", Excerpt.WithCaret("ab\td\n", 3, "wrong"));
        Assert.Equal("\n^\nnothing", Excerpt.WithCaret("", 0, "nothing"));
        Assert.Equal(
            "…" + new string('x', 60) + "?" + new string('y', 119) + "…\n" + new string(' ', 61) + "^\nwrong (column 301 of 601)",
            Excerpt.WithCaret(longText, 300, "wrong"));
    }

    [Fact]
    public void Control_characters_are_replaced_one_by_one_and_nothing_else_is() =>
        Assert.Equal("a.b..c\u00a0é.", Excerpt.WithoutControls("a\0b\u007f\u009fc\u00a0é\n", '.'));

    private static bool IsWhole(string text) => !text.Where((c, i) =>
        (char.IsHighSurrogate(c) && (i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1])))
        || (char.IsLowSurrogate(c) && (i == 0 || !char.IsHighSurrogate(text[i - 1])))).Any();
}
