using System.Text.RegularExpressions;
using CsCheck;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Patterns of <c>*</c> and <c>?</c>, as options take them.</summary>
internal static class HistoryPattern
{
    /// <summary>Whether a pattern matches the whole of a text.</summary>
    internal static bool Matches(string pattern, string text) => Regex.IsMatch(
        text, "\\A" + Regex.Escape(pattern).Replace("\\*", ".*").Replace("\\?", ".") + "\\z", RegexOptions.Singleline | RegexOptions.CultureInvariant);

    /// <summary>Patterns that match some of the texts, or none.</summary>
    internal static Gen<string> Of(IEnumerable<string> texts)
    {
        // A command line has no place for what begins like an option.
        string[] all = [.. texts.Where(static t => !t.StartsWith('-')).Distinct().Order(StringComparer.Ordinal)];
        Gen<string> text = all.Length == 0 ? Gen.Const("none") : Gen.OneOf(all);
        Gen<string> changed = Gen.Select(text, Gen.Int[0, 4], Gen.Int[0, 8], static (name, how, at) => how switch
        {
            0 => name[..Math.Min(at, name.Length)] + "*",
            1 => "*" + name[Math.Min(at, name.Length)..],
            2 when at < name.Length => name[..at] + "?" + name[(at + 1)..],
            3 => "*" + name[(name.Length / 2)..] + "*",
            _ => name + "x",
        });
        return Gen.Frequency((3, text), (2, changed.Where(static p => !p.StartsWith('-'))), (1, Gen.Const("*")));
    }
}
