using System.Text;
using KprobeTrace.Probes;
using Xunit;

namespace KprobeTrace.Tests.Probes;

/// <summary>Patterns against a plain matcher: one element after the other, a star tried with every length.</summary>
public sealed class GlobPatternTests
{
    private const string PatternCharacters = "ab-c*?[]!\\";
    private const string TextCharacters = "abc-]![\\*";

    [Theory]
    [InlineData("", "", true)]
    [InlineData("", "a", false)]
    [InlineData("*", "", true)]
    [InlineData("?", "", false)]
    [InlineData("a*b*c", "a-b--b-c", true)]
    [InlineData("a*b*c", "a-b--b-", false)]
    [InlineData("[a-c]", "a", true)]
    [InlineData("[a-c]", "b", true)]
    [InlineData("[a-c]", "c", true)]
    [InlineData("[b-c]", "a", false)]
    [InlineData("[a-b]", "c", false)]
    [InlineData("[!a-b]", "c", true)]
    [InlineData("[!a-b]", "b", false)]
    [InlineData("[ab-]", "-", true)]
    [InlineData("[a-]", "-", true)]
    [InlineData("[-a]", "-", true)]
    [InlineData("[a-cx]", "x", true)]
    [InlineData("[a-c-e]", "e", true)]
    [InlineData("[a-c-e]", "d", false)]
    [InlineData("[]]", "]", true)]
    [InlineData("[!]]", "]", false)]
    [InlineData("[!]]", "a", true)]
    [InlineData("[a", "[a", true)]
    [InlineData("[", "[", true)]
    [InlineData("[]", "[]", true)]
    [InlineData("[!", "[!", true)]
    [InlineData("[!]", "[!]", true)]
    [InlineData("[a]b", "ab", true)]
    [InlineData("[a]b", "b", false)]
    [InlineData("\\*", "*", true)]
    [InlineData("\\*", "a", false)]
    [InlineData("\\", "\\", true)]
    [InlineData("\\\\", "\\", true)]
    [InlineData("a\\", "a\\", true)]
    public void A_pattern_matches_whole_texts(string pattern, string text, bool matches)
    {
        Assert.Equal(matches, GlobPattern.IsMatch(Encoding.ASCII.GetBytes(pattern), Encoding.ASCII.GetBytes(text)));
        Assert.Equal(matches, Matches(pattern, text));
    }

    [Fact]
    public void Random_patterns_match_what_the_plain_matcher_says()
    {
        Random random = new(11);
        int matched = 0;
        for (int i = 0; i < 60_000; i++)
        {
            string pattern = Draw(random, PatternCharacters, 8);
            string text = Draw(random, TextCharacters, 6);
            bool expected = Matches(pattern, text);
            matched += expected ? 1 : 0;

            Assert.True(
                expected == GlobPattern.IsMatch(Encoding.ASCII.GetBytes(pattern), Encoding.ASCII.GetBytes(text)),
                $"'{pattern}' and '{text}': expected {expected}");
        }

        Assert.True(matched > 1000, "too few of them match to say anything");
    }

    private static string Draw(Random random, string characters, int most) =>
        string.Concat(Enumerable.Range(0, random.Next(most + 1)).Select(_ => characters[random.Next(characters.Length)]));

    private static bool Matches(string pattern, string text)
    {
        if (pattern.Length == 0)
        {
            return text.Length == 0;
        }

        if (pattern[0] == '*')
        {
            return Enumerable.Range(0, text.Length + 1).Any(taken => Matches(pattern[1..], text[taken..]));
        }

        (Func<char, bool> accepts, int length) = FirstElement(pattern);
        return text.Length > 0 && accepts(text[0]) && Matches(pattern[length..], text[1..]);
    }

    private static (Func<char, bool> Accepts, int Length) FirstElement(string pattern)
    {
        if (pattern[0] == '?')
        {
            return (static _ => true, 1);
        }

        if (pattern[0] == '\\' && pattern.Length > 1)
        {
            return (c => c == pattern[1], 2);
        }

        // A bracket that closes a class stands behind one member at least, which may be a bracket itself.
        bool inverted = pattern.StartsWith("[!", StringComparison.Ordinal);
        int first = inverted ? 2 : 1;
        int close = pattern[0] == '[' && first + 1 <= pattern.Length ? pattern.IndexOf(']', first + 1 > pattern.Length ? pattern.Length : first + 1) : -1;
        if (close < 0)
        {
            return (c => c == pattern[0], 1);
        }

        HashSet<char> members = [];
        for (int i = first; i < close; i++)
        {
            char last = i + 2 < close && pattern[i + 1] == '-' ? pattern[i + 2] : pattern[i];
            for (int member = pattern[i]; member <= last; member++)
            {
                members.Add((char)member);
            }

            i += i + 2 < close && pattern[i + 1] == '-' ? 2 : 0;
        }

        return (c => members.Contains(c) != inverted, close + 1);
    }
}
