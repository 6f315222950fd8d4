using KprobeTrace.Bench;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>What a query may take of memory; in a process of its own, since SQLite's limit is the process's.</summary>
public sealed class QueryMemoryTests : IDisposable
{
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("SELECT length(hex(zeroblob(40000000)))", "a value of more than 67,108,864 bytes")]
    [InlineData("SELECT length(group_concat(hex(zeroblob(20000)))) FROM events, (SELECT 1 UNION SELECT 2)", "a value of more than 67,108,864 bytes")]
    [InlineData("SELECT length(hex(zeroblob(1500000)))", "a value of more than 2,097,152 bytes", "--memory", "8M")]
    [InlineData("SELECT max(length(a)), count(*) FROM (SELECT group_concat(hex(zeroblob(500))) AS a FROM events GROUP BY seq % 4) ORDER BY random()", "", "--memory", "64M")]
    public void A_value_has_a_ceiling(string sql, string expected, params string[] options)
    {
        (int exit, string error) = Run(sql, options);

        Assert.Equal(expected.Length > 0 ? 1 : 0, exit);
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.True(error.Split('\n').Length <= 2, error);
    }

    [Fact]
    public void A_query_that_needs_more_memory_than_it_was_given_says_so()
    {
        // Sixty values of a megabyte and a half, each held by an aggregate of its own.
        string columns = string.Join(", ", Enumerable.Range(0, 60).Select(static i => $"group_concat(hex(zeroblob(300 + {i})))"));
        (int exit, string error) = Run($"SELECT {columns} FROM (SELECT 1 FROM events LIMIT 2500)", "--memory", "16M");

        Assert.Equal(1, exit);
        Assert.Contains("it needs more than 16 MiB of memory", error, StringComparison.Ordinal);
        Assert.Equal(0, Run($"SELECT 1 FROM (SELECT {columns} FROM (SELECT 1 FROM events LIMIT 2500))", "--memory", "512M").Exit);
    }

    [Theory]
    [InlineData("1M", "8M at least")]
    [InlineData("much", "is no size")]
    public void A_size_that_makes_no_sense_is_refused(string size, string expected) =>
        Assert.Contains(expected, Tool.Bad(2, "query", "x.mpk", "SELECT 1", "--memory", size), StringComparison.Ordinal);

    private (int Exit, string Error) Run(string sql, params string[] options)
    {
        string trace = _folder["t.mpk"];
        if (!File.Exists(trace))
        {
            SyntheticTrace.Write(trace, 3_000);
        }

        return ToolProcess.Run(["query", trace, sql, .. options]);
    }
}
