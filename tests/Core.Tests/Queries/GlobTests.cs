using KprobeTrace.Queries;
using Xunit;

namespace KprobeTrace.Tests.Queries;

public sealed class GlobTests
{
    [Fact]
    public void Agrees_with_trying_every_way_to_split_the_text()
    {
        string[] patterns = [.. Words("ab*?", 5)];
        string[] texts = [.. Words("ab", 6)];

        Assert.All(patterns, pattern => Assert.Equal(
            texts.Where(text => Splits(pattern, text)), texts.Where(text => Glob.Matches(pattern, text))));
    }

    [Theory]
    [InlineData("A", "a")]
    [InlineData("a", "A")]
    [InlineData("[a]", "a")]
    public void Letters_and_brackets_stand_for_themselves(string pattern, string text) => Assert.False(Glob.Matches(pattern, text));

    private static bool Splits(string pattern, string text) => pattern switch
    {
        "" => text.Length == 0,
        ['*', ..] => Enumerable.Range(0, text.Length + 1).Any(taken => Splits(pattern[1..], text[taken..])),
        _ => text.Length > 0 && (pattern[0] == '?' || pattern[0] == text[0]) && Splits(pattern[1..], text[1..]),
    };

    private static IEnumerable<string> Words(string letters, int longest) =>
        longest == 0 ? [""] : [.. Words(letters, longest - 1).SelectMany(w => w.Length == longest - 1 ? letters.Select(c => w + c).Prepend(w) : [w])];
}
