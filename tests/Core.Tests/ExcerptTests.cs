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

    private static bool IsWhole(string text) => !text.Where((c, i) =>
        (char.IsHighSurrogate(c) && (i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1])))
        || (char.IsLowSurrogate(c) && (i == 0 || !char.IsHighSurrogate(text[i - 1])))).Any();
}
