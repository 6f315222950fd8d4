using Xunit;

namespace KprobeTrace.Tests.Mutants;

/// <summary>What is planted where: <c>faults.txt</c> has a line of code, and below it, indented, each fault with its kind.</summary>
public sealed class OperatorTests
{
    public static TheoryData<string, string[]> Table()
    {
        TheoryData<string, string[]> rows = [];
        string? code = null;
        List<string> faults = [];
        foreach (string line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "faults.txt")).Where(line => line.Length > 0 && !line.StartsWith('#')).Append("end"))
        {
            if (line.StartsWith(' '))
            {
                faults.Add(line.Trim());
                continue;
            }

            if (code is not null)
            {
                rows.Add(code, [.. faults]);
            }

            code = line;
            faults = [];
        }

        return rows;
    }

    [Theory]
    [MemberData(nameof(Table))]
    public void Code_has_these_faults_and_no_others(string code, string[] faults) =>
        Assert.Equal(faults.Order(StringComparer.Ordinal), Snippet.Sites(code).Select(site => $"{site.Fault.Operator}: {site.Fault.After}").Order(StringComparer.Ordinal));

    [Fact]
    public void Each_line_of_the_table_stands_once()
    {
        string[] codes = [.. Table().Select(row => (string)row[0])];
        Assert.Equal(codes.Distinct(), codes);
        Assert.True(codes.Length >= 40);
    }
}
