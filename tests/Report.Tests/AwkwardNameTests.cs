using System.Text.Json;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>Names with quotes, newlines and escape sequences in a task's name and in an argument, through every output.</summary>
public sealed class AwkwardNameTests : IDisposable
{
    private const string Comm = "a\"b'c\n\t;<i>\e[1m";
    private const string File = "x'\"\r\n</script><b>|\\,\e]0;t\a ";

    /// <summary>The task and the file above, and a call of the task that has more than its entry.</summary>
    private const string Story = """
        p:open do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring
        r:open_ret do_sys_openat2
        100 open "a\"b'c\n\t;<i>\e[1m"-6 name="x'\"\r\n</script><b>|\\,\e]0;t\a " %di=17 caller=ksys_open+4
        150 open_ret "a\"b'c\n\t;<i>\e[1m"-6 caller=ksys_open+4
        200 open plain-7 name=y caller=ksys_open+4
        """;

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Csv_quotes_them_and_gives_them_back()
    {
        string csv = Tool.Good("query", Trace(), "SELECT comm, arg_name FROM open WHERE seq = 1", "--format", "csv");

        Assert.Equal($"comm,arg_name\r\n\"{Doubled(Comm)}\",\"{Doubled(File)}\"\r\n", csv);
        _ = Tool.Good("export", Trace(), "--to", "csv", "--of", "open", "-o", _folder["o.csv"]);
        Assert.Contains($"\"{Doubled(File)}\"", System.IO.File.ReadAllText(_folder["o.csv"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("json")]
    [InlineData("jsonl")]
    public void Json_escapes_them_and_gives_them_back(string format)
    {
        string json = Tool.Good("query", Trace(), "SELECT comm, arg_name FROM open WHERE seq = 1", "--format", format);

        JsonElement root = JsonDocument.Parse(json).RootElement;
        JsonElement row = format == "json" ? root[0] : root;
        Assert.Equal((Comm, File), (row.GetProperty("comm").GetString(), row.GetProperty("arg_name").GetString()));
        Assert.Equal(format == "json" ? 3 : 1, json.Count(static c => c == '\n'));
    }

    [Theory]
    [InlineData("query", "SELECT comm, arg_name FROM open", "--format", "md")]
    [InlineData("query", "SELECT comm, arg_name FROM open")]
    [InlineData("hist", "--key", "comm")]
    [InlineData("hist", "--key", "comm", "--format", "md")]
    [InlineData("events")]
    [InlineData("stacks")]
    [InlineData("stacks", "--folded")]
    [InlineData("latency")]
    [InlineData("who", "17")]
    [InlineData("before", "--seq", "2")]
    public void Text_shows_them_on_one_line_without_control_characters(string verb, params string[] options)
    {
        string text = Tool.Good([verb, Trace(), .. options]);

        Assert.DoesNotContain(text, static c => char.IsControl(c) && c != '\n');
        Assert.DoesNotContain("\n\t", text, StringComparison.Ordinal);
        if (options is ["SELECT comm, arg_name FROM open", "--format", "md"])
        {
            Assert.All(text.TrimEnd('\n').Split('\n'), static line => Assert.Equal(3, line.Replace("\\|", "", StringComparison.Ordinal).Count(static c => c == '|')));
        }
    }

    [Fact]
    public void Folded_stacks_keep_one_separator_a_frame()
    {
        Assert.All(
            Tool.Good("stacks", Trace(), "--folded", "--probe", "open").TrimEnd('\n').Split('\n'),
            static line => Assert.Equal(2, line.Count(static c => c == ';')));
    }

    [Fact]
    public void Sql_takes_them_as_values()
    {
        string quoted = Comm.Replace("'", "''", StringComparison.Ordinal);

        Assert.Equal(["1"], Tool.Rows(Trace(), $"SELECT count(*) FROM events WHERE comm = '{quoted}' AND name = 'open'"));
        Assert.Single(Tool.Good("events", Trace(), "--comm", Comm, "--probe", "open").TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public void ClickHouse_rows_escape_them()
    {
        _ = Tool.Good("export", Trace(), "--to", "clickhouse", "-o", _folder["house"]);

        string[] lines = System.IO.File.ReadAllText(Path.Combine(_folder["house"], "events.tsv")).TrimEnd('\n').Split('\n');
        Assert.Equal(3, lines.Length);
        Assert.Single(lines.Select(static l => l.Count(static c => c == '\t')).Distinct());
        Assert.Contains("a\"b\\'c\\n\\t;<i>\e[1m", string.Join('\n', lines), StringComparison.Ordinal);
    }

    [Fact]
    public void Html_holds_them_as_data_only()
    {
        _ = Tool.Good("html", Trace(), "-o", _folder["r.html"]);
        string page = System.IO.File.ReadAllText(_folder["r.html"]);

        Assert.Equal(2, page.Split("</script>").Length - 1);
        Assert.DoesNotContain("<i>", page, StringComparison.Ordinal);
    }

    private static string Doubled(string text) => text.Replace("\"", "\"\"", StringComparison.Ordinal);

    private string Trace() => _folder.Trace(Story);
}
