using System.Text.RegularExpressions;
using KprobeTrace.Store;
using KprobeTrace.Tests.Guests;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Store;

/// <summary>Holds docs/schema.md to the views: each has its section, and each section every column in its order.</summary>
public sealed partial class SchemaPageTests
{
    private static readonly Dictionary<string, string> _sections = ReadSections();

    public static TheoryData<string> Views() => [.. HistoryViews.All.Select(static v => v.Name)];

    [Theory]
    [MemberData(nameof(Views))]
    public void The_page_names_every_column_in_its_order(string view)
    {
        string[] columns = HistoryViews.All.Single(v => v.Name == view).Names;

        // What a fault has of its event is said in words.
        Assert.Equal(view == "faults" ? columns[..6] : columns, Documented(view).Select(static c => c.Name));
    }

    [Theory]
    [MemberData(nameof(Views))]
    public void The_page_says_what_a_column_holds(string view)
    {
        HistoryView described = HistoryViews.All.Single(v => v.Name == view);
        foreach ((string name, string type) in Documented(view).Where(static c => c.Type.Length > 0))
        {
            ColumnType holds = described.Columns.Single(c => c.Column.Name == name).Column.Type;
            Assert.True(type == (holds == ColumnType.Text ? "text" : "integer"), $"{view}.{name} is {type}, {holds}");
        }
    }

    [Fact]
    public void The_page_of_the_format_names_the_fields_of_events()
    {
        string page = File.ReadAllText(Repository.PathOf("docs/trace-format.md"));
        string[] rows = [.. FieldRow().Matches(page[page.IndexOf("| field | name |", StringComparison.Ordinal)..]).Select(static m => m.Groups[1].Value)];

        Assert.Equal(EventFields.Names.ToArray(), rows.SelectMany(static r => Word().Matches(r).Select(static m => m.Value)));
    }

    [Fact]
    public void The_page_of_definitions_names_every_register() =>
        Assert.Equal(
            KprobeTrace.Cpu.PtRegs.Names.ToArray().Order(),
            Expand(RegisterRow().Match(File.ReadAllText(Repository.PathOf("docs/probes.md"))).Groups[1].Value).Order());

    /// <summary>Columns of a view as its section has them: rows of a table, or names in code behind each other.</summary>
    private static IEnumerable<(string Name, string Type)> Documented(string view)
    {
        string section = _sections[view];
        Match[] rows = [.. ColumnRow().Matches(section).Cast<Match>()];
        if (rows.Length > 0)
        {
            foreach (Match row in rows.Where(static r => r.Groups[1].Value is not "column"))
            {
                string[] names = row.Groups[1].Value.Split(", ");
                string[] types = row.Groups[2].Value.Trim().Split(", ");
                for (int i = 0; i < names.Length; i++)
                {
                    // A unit or a format stands behind the type; names that share a row may share one.
                    string type = names.Length == types.Length ? types[i] : types[0];
                    yield return (names[i], type.Split(' ')[0]);
                }
            }

            yield break;
        }

        string prose = section[..(section.IndexOf("```", StringComparison.Ordinal) is > 0 and int example ? example : section.Length)];
        string[] known = HistoryViews.All.Single(v => v.Name == view).Names;
        foreach (string name in Code().Matches(prose).SelectMany(static m => Expand(m.Groups[1].Value)).Where(known.Contains).Distinct())
        {
            yield return (name, "");
        }
    }

    /// <summary>Names with what stands between <c>r8 … r15</c>.</summary>
    private static IEnumerable<string> Expand(string list) =>
        Word().Matches(list.Replace("r8 … r15", "r8 r9 r10 r11 r12 r13 r14 r15", StringComparison.Ordinal).Replace("r8` … `r15", "r8 r9 r10 r11 r12 r13 r14 r15", StringComparison.Ordinal)).Select(static m => m.Value);

    private static Dictionary<string, string> ReadSections()
    {
        Dictionary<string, string> sections = [];
        foreach (string section in File.ReadAllText(Repository.PathOf("docs/schema.md")).Split("\n## ")[1..])
        {
            string[] views = section[..section.IndexOf('\n', StringComparison.Ordinal)].Split(", ");
            foreach (string view in views)
            {
                // Of a section about several views each has an item.
                sections[view] = views.Length == 1
                    ? section[section.IndexOf('\n', StringComparison.Ordinal)..]
                    : Regex.Match(section, $"(?s)\n- `{view}`:(.*?)(?=\n- `|\n\n|$)").Groups[1].Value;
            }
        }

        return sections;
    }

    [GeneratedRegex(@"(?m)^\| ([a-z0-9_, ]+) \| ([^|]*)\|")]
    private static partial Regex ColumnRow();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();

    [GeneratedRegex("[a-z_][a-z_0-9]*")]
    private static partial Regex Word();

    [GeneratedRegex(@"(?m)^\| (?:\d+|\d+–\d+) \| `([a-z0-9 ]+)` \|")]
    private static partial Regex FieldRow();

    [GeneratedRegex(@"(?m)^\| `%REG` \| a register: (.*?);")]
    private static partial Regex RegisterRow();
}
