using System.Diagnostics;
using System.Globalization;
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

    [ProgramFact("python3")]
    public void Growth_of_any_kind_ends_early_within_the_memory_that_was_given()
    {
        const string Rows = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 2000000000)";
        string[] growing =
        [
            $"{Rows} SELECT length(group_concat(x)) FROM n",
            $"{Rows} SELECT length(group_concat(x, '; ')) FROM n",
            $"{Rows} SELECT length(string_agg(x, '; ')) FROM n",
            $"{Rows} SELECT length(group_concat(DISTINCT x)) FROM n",
            $"{Rows} SELECT sum(length(g)) FROM (SELECT group_concat(x) OVER (ORDER BY x) AS g FROM n)",
            "WITH RECURSIVE d(t) AS (SELECT 'x' UNION ALL SELECT t || t FROM d) SELECT max(length(t)) FROM d",
            "WITH RECURSIVE d(t) AS (SELECT 'xx' UNION ALL SELECT replace(t, 'x', 'xx') FROM d) SELECT max(length(t)) FROM d",
            "SELECT length(printf('%2000000000d', 1))",
            "SELECT length(printf('%.*c', 2000000000, 'x'))",
            "SELECT length(zeroblob(2000000000))",
            "SELECT length(randomblob(2000000000))",
            "SELECT length(hex(zeroblob(3000000)))",
            "SELECT length(quote(zeroblob(3000000)))",
        ];
        foreach (string sql in growing)
        {
            (int exit, string error, long peak) = RunMeasured(sql, "--memory", "16M");

            Assert.True(exit == 1, $"{sql}: {exit}, {error}");
            Assert.Matches("^kprobe-report: SQL: (a value of more than 4,194,304 bytes|it needs more than 16 MiB of memory)[^\n]*\n$", error);
            Assert.True(peak < 200 << 20, $"{sql}: {peak >> 20} MiB");
        }
    }

    [Theory]
    [InlineData("1M", "8M at least")]
    [InlineData("much", "is no size")]
    public void A_size_that_makes_no_sense_is_refused(string size, string expected) =>
        Assert.Contains(expected, Tool.Bad(2, "query", "x.mpk", "SELECT 1", "--memory", size), StringComparison.Ordinal);

    /// <summary>Runs a query, and says what the process took of memory at most.</summary>
    private (int Exit, string Error, long Peak) RunMeasured(string sql, params string[] options)
    {
        const string Measure = """
            import resource, subprocess, sys
            done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=120)
            sys.stderr.buffer.write(done.stderr)
            print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
            """;
        using Process process = Process.Start(new ProcessStartInfo(
            "python3", ["-c", Measure, "dotnet", Path.Combine(AppContext.BaseDirectory, "kprobe-report.dll"), "query", Trace(), sql, .. options])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        string[] words = output.GetAwaiter().GetResult().Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        Assert.True(words.Length == 2, error);
        return (int.Parse(words[0], CultureInfo.InvariantCulture), error, long.Parse(words[1], CultureInfo.InvariantCulture) << 10);
    }

    private string Trace()
    {
        string trace = _folder["t.mpk"];
        if (!File.Exists(trace))
        {
            SyntheticTrace.Write(trace, 3_000);
        }

        return trace;
    }

    private (int Exit, string Error) Run(string sql, params string[] options) => ToolProcess.Run(["query", Trace(), sql, .. options]);
}
