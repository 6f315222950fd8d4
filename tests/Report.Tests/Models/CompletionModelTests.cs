using System.Text.RegularExpressions;
using CsCheck;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>What <c>[suggest]</c> answers, against the help pages: the words that a shell is given to complete with.</summary>
public sealed partial class CompletionModelTests
{
    private static readonly Dictionary<string, Page> _pages = ReadPages();

    [Fact]
    public void A_line_goes_on_with_what_the_help_page_allows_there()
    {
        PCG random = new(1, HistoryCheck.SeedOf(nameof(A_line_goes_on_with_what_the_help_page_allows_there)));
        Gen<string[]> lines = Gen.OneOf([.. _pages.Values.Select(Words)]);
        for (int i = 0; i < 4000; i++)
        {
            string[] words = lines.Generate(random, null, out _);
            string line = string.Join(' ', words);

            Assert.Equal((line, string.Concat(Expected(words).Select(static w => w + "\n"))), (line, Tool.Good($"[suggest:{line.Length}]", line)));
        }
    }

    [Theory]
    [InlineData("[suggest:2]", "ev hist", "events")]
    [InlineData("[suggest:8]", "hist ev hi", "")]
    [InlineData("[suggest:7]", "events ", "")]
    [InlineData("[suggest:9]", "events -n", "-n")]
    [InlineData("[suggest]", "ev", "events")]
    [InlineData("[suggest:]", "ev", "events")]
    [InlineData("[suggest:x]", "ev", "events")]
    [InlineData("[suggest:-1]", "ev", "events")]
    [InlineData("[suggest:99999999999]", "ev", "events")]
    [InlineData("[suggest:30]", "events \"a trace.mpk\" --ns --ru", "--run")]
    public void A_line_ends_at_the_cursor(string directive, string line, string expected) =>
        Assert.Equal(expected, string.Join(' ', Tool.Good(directive, line).Split('\n', StringSplitOptions.RemoveEmptyEntries)));

    [Fact]
    public void The_page_of_all_verbs_has_the_first_sentence_of_each_verb_s_own_page()
    {
        Dictionary<string, string> listed = Section(Tool.Good("--help"), "Verbs").ToDictionary(static r => r.Name, static r => r.Text.Replace("  ", " ", StringComparison.Ordinal));

        foreach (string verb in _pages.Keys.Where(static v => v.Length > 0))
        {
            string text = Tool.Good(verb, "--help").Split("\n\n")[0].Replace('\n', ' ');
            Assert.Equal((verb, Regex.Match(text, @"^.*?\.(?= |$)").Value), (verb, listed[verb]));
        }
    }

    /// <summary>Words of a line: a verb, some of its options with values, files; the last one is begun, or empty.</summary>
    private static Gen<string[]> Words(Page page)
    {
        Gen<string[]> file = Gen.OneOf("x.mpk", "runs.db", "-").Select(static f => new[] { f });
        Gen<string[]> option = Gen.OneOf<PageOption>([.. page.Options]).SelectMany(o => Gen.OneOf<string>([.. o.Names]).Select(
            n => o.Value.Length == 0 ? new[] { n } : [n, o.Values.Length > 0 ? o.Values[^1] : "1"]));
        Gen<string> last = Gen.OneOf(
            Gen.OneOf("", "", "-", "--", "x", "nothing"),
            Gen.OneOf<string>([.. _pages.Keys, .. page.Options.SelectMany(static o => o.Names.Concat(o.Values)), .. page.Shells])
                .SelectMany(static w => Gen.Int[0, w.Length].Select(n => w[..n])));
        Gen<string[]> awaiting = Gen.OneOf<PageOption>([.. page.Options]).Select(static o => new[] { o.Names[0] });
        return Gen.Select(
            Gen.OneOf(file, option, option).Array[0, 4], Gen.Frequency((3, Gen.Const((string[])[])), (2, awaiting)), last,
            (some, open, end) => (string[])[.. page.Verb.Length > 0 ? [page.Verb] : (string[])[], .. some.SelectMany(static s => s), .. open, end]);
    }

    private static IEnumerable<string> Expected(string[] words)
    {
        string begun = words[^1];
        List<string> given = [.. words[..^1]];
        Page page = _pages[given.Count > 0 && _pages.ContainsKey(given[0]) ? given[0] : ""];
        List<string> rest = [.. page.Verb.Length > 0 ? given[1..] : given];
        List<PageOption> used = [];
        int files = 0;
        while (rest.Count > 0)
        {
            PageOption? option = page.Options.FirstOrDefault(o => o.Names.Contains(rest[0]) && (o.IsRepeatable || !used.Contains(o)));
            if (option is { Value.Length: > 0 } && rest.Count == 1)
            {
                return Begun(option.Values, begun);
            }

            used.AddRange(option is null ? [] : [option]);
            files += option is null ? 1 : 0;
            rest.RemoveRange(0, option is { Value.Length: > 0 } ? 2 : 1);
        }

        IEnumerable<string> options = page.Options.Where(o => o.IsRepeatable || !used.Contains(o)).SelectMany(static o => o.Names);
        return Begun(
            begun.StartsWith('-') ? options : given.Count == 0 ? _pages.Keys.Where(static v => v.Length > 0) : files == 0 ? page.Shells : [], begun);
    }

    private static IEnumerable<string> Begun(IEnumerable<string> words, string begun) =>
        words.Where(w => w.StartsWith(begun, StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    private static Dictionary<string, Page> ReadPages()
    {
        string[] verbs = [.. Section(Tool.Good("--help"), "Verbs").Select(static r => r.Name)];
        Assert.Contains("events", verbs);
        return verbs.Prepend("").ToDictionary(
            static v => v, static v => new Page(v, Tool.Good([.. v.Length > 0 ? [v] : (string[])[], "--help"])), StringComparer.Ordinal);
    }

    /// <summary>The rows below a heading; what stands further to the right goes on with the row before.</summary>
    private static IEnumerable<(string Name, string Text)> Section(string help, string title)
    {
        string section = Regex.Match(help, $@"(?ms)^{title}:\n(.*?)(^\S|\z)").Groups[1].Value;
        return Row().Matches(Regex.Replace(section, @"\n {4,}", "  ")).Select(static m => (m.Groups[1].Value, m.Groups[2].Value));
    }

    [GeneratedRegex(@"(?m)^  (\S+(?: \S+)*)  +(\S.*)$")]
    private static partial Regex Row();

    [GeneratedRegex(@"^[a-z]+(?:(?:, | or | \([^)]*\), )[a-z]+)+")]
    private static partial Regex Choice();

    /// <summary>The words of a description that begins with a choice, as <c>pre, post, fault or ret</c>.</summary>
    private static string[] ChoiceOf(string description) =>
        Regex.Replace(Choice().Match(description).Value, @" \([^)]*\)", "").Split([", ", " or "], StringSplitOptions.RemoveEmptyEntries);

    /// <summary>A row as <c>-n, --limit N  …</c>.</summary>
    private sealed record PageOption(string[] Names, string Value, string[] Values, bool IsRepeatable)
    {
        internal static PageOption Of((string Name, string Text) row)
        {
            string[] parts = row.Name.Replace(", ", ",", StringComparison.Ordinal).Split(' ');
            string value = string.Join(' ', parts[1..]);
            return new PageOption(
                parts[0].Split(','), value, value is "KIND" or "FORMAT" ? ChoiceOf(row.Text) : [], row.Text.Contains("(repeatable", StringComparison.Ordinal));
        }
    }

    private sealed class Page
    {
        internal Page(string verb, string help)
        {
            Verb = verb;
            Options = [.. Section(help, "Options").Select(PageOption.Of)];
            Shells = ChoiceOf(Regex.Match(help, @"(?m)^  SHELL  (.*)$").Groups[1].Value);
        }

        internal string Verb { get; }

        internal PageOption[] Options { get; }

        internal string[] Shells { get; }
    }
}
