using System.Text.RegularExpressions;

namespace KprobeTrace.Tests.Oracle;

/// <summary>Text tables: one row a line, columns separated by two or more blanks, <c>#</c> begins a comment line.</summary>
internal static partial class TableFile
{
    public static List<string[]> Lines(string name)
    {
        var rows = new List<string[]>();
        foreach (string line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Tables", name)))
        {
            string text = line.Trim();
            if (text.Length > 0 && text[0] != '#')
            {
                rows.Add(Gap().Split(text));
            }
        }

        return rows;
    }

    /// <summary>A whole-name pattern in which <c>*</c> stands for any characters.</summary>
    public static Regex Glob(string pattern) =>
        new("^" + Regex.Escape(pattern).Replace("\\*", ".*", StringComparison.Ordinal) + "$", RegexOptions.CultureInvariant);

    [GeneratedRegex("  +|\t+")]
    private static partial Regex Gap();
}
