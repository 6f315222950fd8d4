using System.Reflection;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>The table of tests/RulesOff, whose script switches rules off: it must name code and tests that exist.</summary>
public sealed class RulesOffTests
{
    public static TheoryData<string, string, string> Rules
    {
        get
        {
            TheoryData<string, string, string> rules = [];
            foreach (string line in File.ReadLines(Repository.PathOf("tests/RulesOff/rules.tsv")).Where(l => !l.StartsWith('#')))
            {
                string[] fields = line.Replace("\\n", "\n", StringComparison.Ordinal).Split('\t');
                rules.Add(fields[0], fields[1], fields[2]);
            }

            return rules;
        }
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void Rule_stands_once_in_the_code_and_its_row_is_a_test(string row, string file, string code)
    {
        string source = File.ReadAllText(Repository.PathOf("src/Core/" + file));

        Assert.Equal(2, source.Split(code).Length);
        Assert.Contains(
            typeof(RulesOffTests).Assembly.GetTypes().SelectMany(t => t.GetMethods(BindingFlags.Public | BindingFlags.Instance)),
            method => method.Name.StartsWith(row, StringComparison.Ordinal) && method.IsDefined(typeof(FactAttribute)));
    }
}
