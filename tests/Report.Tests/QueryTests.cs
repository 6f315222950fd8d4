using System.Text.Json;
using Xunit;

namespace KprobeTrace.Tests.Report;

public sealed class QueryTests : IDisposable
{
    private const string One = "p:f f\n1 f";

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("DELETE FROM kt_run")]
    [InlineData("INSERT INTO kt_run(run) VALUES(7)")]
    [InlineData("UPDATE kt_event SET seq = 1")]
    [InlineData("DROP TABLE kt_run")]
    [InlineData("CREATE TABLE t(a)")]
    [InlineData("CREATE TEMP TABLE t(a)")]
    [InlineData("CREATE TEMP VIEW v AS SELECT 1")]
    [InlineData("ATTACH '/dev/null' AS x")]
    [InlineData("PRAGMA user_version = 7")]
    [InlineData("PRAGMA writable_schema = 1")]
    [InlineData("PRAGMA journal_mode = wal")]
    [InlineData("SELECT load_extension('x')")]
    [InlineData("VACUUM INTO '/tmp/x'")]
    [InlineData("BEGIN")]
    [InlineData("REINDEX")]
    [InlineData("ANALYZE")]
    public void A_query_cannot_write_attach_or_load(string sql)
    {
        string trace = _folder.Trace(One);
        _ = Tool.Good(trace);
        byte[] before = File.ReadAllBytes(trace + ".db");

        _ = Tool.Bad(1, "query", trace, sql);

        Assert.Equal(before, File.ReadAllBytes(trace + ".db"));
    }

    [Theory]
    [InlineData("SELEC 1", "line 1, column 1")]
    [InlineData("SELECT\n  foo FROM events", "line 2, column 3: no such column: foo")]
    [InlineData("SELECT * FROM nowhere", "no such table: nowhere")]
    [InlineData("SELECT 1; SELECT 2", "one statement at a time")]
    [InlineData("", "no statement")]
    [InlineData("-- nothing", "no statement")]
    [InlineData("SELECT ?1", "parameters")]
    [InlineData("SELECT percentile(seq, 200) FROM events", "0 to 100")]
    [InlineData("SELECT percentile(seq, 'p95') FROM events", "0 to 100")]
    [InlineData("SELECT percentile(seq, null) FROM events", "0 to 100")]
    public void A_wrong_statement_is_one_line_with_its_position(string sql, string expected) =>
        Assert.Contains(expected, Tool.Bad(1, "query", _folder.Trace(One), sql), StringComparison.Ordinal);

    [Fact]
    public void Every_format_carries_awkward_text_unharmed()
    {
        string trace = _folder.Trace("""
            p:fork kernel_clone
            7 fork "e\"v,i'l\n"-2
            """);
        const string Sql = "SELECT comm, args FROM events";
        const string Comm = "e\"v,i'l\n";

        Assert.Equal("comm,args\r\n\"e\"\"v,i'l\n\",{}\r\n", Tool.Good("query", trace, Sql, "--format", "csv"));
        Assert.Equal(Comm, JsonDocument.Parse(Tool.Good("query", trace, Sql, "--format", "json")).RootElement[0].GetProperty("comm").GetString());
        Assert.Equal(Comm, JsonDocument.Parse(Tool.Good("query", trace, Sql, "--format", "jsonl")).RootElement.GetProperty("comm").GetString());
        Assert.Equal("comm       args\ne\"v,i'l\\n  {}\n", Tool.Good("query", trace, Sql));
        Assert.Equal(3, Tool.Good("query", trace, Sql, "--format", "md").TrimEnd().Split('\n').Length);
    }

    [Fact]
    public void Json_holds_arguments_as_objects_and_nulls_as_nulls()
    {
        string json = Tool.Good("query", _folder.Trace("p:open do_open dfd=%di:s32\n1 open dfd=-100"), "SELECT args, NULL AS n, x'00ff' AS b, 1.5 AS r FROM open LIMIT 1", "--format", "json");
        JsonElement row = JsonDocument.Parse(json).RootElement[0];

        Assert.Equal(-100, row.GetProperty("args").GetProperty("dfd").GetInt32());
        Assert.Equal(JsonValueKind.Null, row.GetProperty("n").ValueKind);
        Assert.Equal("00ff", row.GetProperty("b").GetString());
        Assert.Equal(1.5, row.GetProperty("r").GetDouble());
    }

    [Fact]
    public void Functions_name_addresses_and_rank_values()
    {
        string trace = _folder.Trace("""
            symbol do_open at=0xffffffff81200000
            p:open do_open
            r:open_ret do_open
            100 open
            140 open_ret
            200 open
            201 open
            261 open_ret
            421 open_ret
            """);

        Assert.Equal(["0xffffffff81200000,do_open,do_open+0x10,0x1"], Tool.Rows(
            trace, "SELECT hex64(ip), sym(ip), sym(ip + 16, 1), sym(1) FROM regs WHERE seq = 3"));
        Assert.Equal(["60,221,40,60"], Tool.Rows(
            trace, "SELECT median(duration_ns), p99(duration_ns), percentile(duration_ns, 0), percentile(duration_ns, 50) FROM calls"));
        Assert.Equal(["0,1,4,4,-8"], Tool.Rows(trace, "SELECT bucket(0), bucket(1), bucket(4), bucket(7), bucket(-9)"));
        Assert.Equal(["3.0"], Tool.Rows(trace, "SELECT log2(8)"));
    }

    [Theory]
    [InlineData("hex64(x)", "0xffffffffffffffea", "0x8000000000000000", "0x7fffffffffffffff")]
    [InlineData("bucket(x)", "-16", "-9223372036854775808", "4611686018427387904")]
    [InlineData("median(x)", "-22", "-9223372036854775808", "9223372036854775807")]
    [InlineData("percentile(x, 99)", "-22", "-9223372036854775808", "9223372036854775807")]
    [InlineData("max(x)", "-22", "-9223372036854775808", "9223372036854775807")]
    [InlineData("sym(x)", "0xffffffffffffffea", "0x8000000000000000", "0x7fffffffffffffff")]
    public void Numbers_of_sixty_four_bits_are_signed_but_where_bits_are_shown(string function, params string[] expected)
    {
        string trace = _folder.Trace(One);
        string[] numbers = ["-22", "-9223372036854775807 - 1", "9223372036854775807"];

        Assert.Equal(expected, numbers.Select(x => Assert.Single(Tool.Rows(trace, $"SELECT {function} FROM (SELECT {x} AS x)"))));
    }

    [Theory]
    [InlineData("-22", "(-32, -16]")]
    [InlineData("3.5", "[2, 4)")]
    [InlineData("-3.5", "(-4, -2]")]
    [InlineData("-9223372036854775807 - 1", "(-2^64, -9223372036854775808]")]
    [InlineData("-9223372036854775807", "(-9223372036854775808, -4611686018427387904]")]
    [InlineData("9223372036854775807", "[4611686018427387904, 2^63)")]
    public void Powers_of_two_count_negative_numbers_like_positive_ones(string number, string bucket) =>
        Assert.Equal(
            $"key,count\r\n{(bucket.Contains(',') ? $"\"{bucket}\"" : bucket)},3\r\n",
            Tool.Good("hist", _folder.Trace("p:f f\n1 f\n2 f\n3 f"), "--key", number, "--log2", "--format", "csv"));

    [Fact]
    public void A_dash_reads_the_statement_from_stdin()
    {
        (int exit, string output, _) = Tool.RunWith("SELECT count(*) AS n FROM events", "query", _folder.Trace("p:f f\n1 f\n2 f"), "-", "--format", "csv");

        Assert.Equal(0, exit);
        Assert.Equal("n\r\n2\r\n", output);
    }

    [Fact]
    public void Usage_errors_exit_with_two()
    {
        _ = Tool.Bad(2, "query", "x.mpk");
        _ = Tool.Bad(2, "query", "x.mpk", "SELECT 1", "--format", "xml");
        _ = Tool.Bad(2, "--bogus");
        _ = Tool.Bad(2, "events", "x.mpk", "--from", "soon");
        _ = Tool.Bad(2, "before", "x.mpk");
        _ = Tool.Bad(2);
    }

    [Fact]
    public void A_shell_can_ask_for_completions()
    {
        Assert.Contains("query", Tool.Good("[suggest:2]", "qu"), StringComparison.Ordinal);
        Assert.Contains("--where", Tool.Good("[suggest:10]", "events --w"), StringComparison.Ordinal);
        Assert.Contains("complete", Tool.Good("completion", "bash"), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_verb_has_help_with_an_example()
    {
        foreach (string verb in (string[])["query", "events", "hist", "latency", "stacks", "before", "who", "add", "check", "diff", "export", "html", "completion"])
        {
            string help = Tool.Good(verb, "--help");
            Assert.Contains("Examples:", help, StringComparison.Ordinal);
            Assert.Contains("\n  dotnet kprobe-report " + verb, help, StringComparison.Ordinal);
            Assert.Contains("\nUsage: dotnet kprobe-report " + verb + " ", help, StringComparison.Ordinal);
            Assert.All(help.Split("Examples:")[0].Split('\n'), static l => Assert.InRange(l.Length, 0, 100));
        }

        string all = Tool.Good("--help");
        Assert.Contains("Usage: dotnet kprobe-report TRACE [OPTIONS]\n", all, StringComparison.Ordinal);
        Assert.Contains("\n  latency ", all, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0.0", "0")]
    [InlineData("-0.0", "-0")]
    [InlineData("0.5", "0.5")]
    [InlineData("1e-4", "0.0001")]
    [InlineData("9e-5", "9E-05")]
    [InlineData("-9e-5", "-9E-05")]
    [InlineData("999999999999999.0", "999999999999999")]
    [InlineData("1e15", "1E+15")]
    [InlineData("-1e15", "-1E+15")]
    public void A_table_has_a_number_s_digits_where_they_are_few_and_its_power_of_ten_elsewhere(string sql, string text) =>
        Assert.Equal($"n\n{text}\n", string.Join('\n', Tool.Good("query", _folder.Trace(One), $"select {sql} as n").Split('\n').Select(line => line.Trim())));
}
