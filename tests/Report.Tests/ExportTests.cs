using System.IO.Pipes;
using System.Text.Json;
using System.Text.RegularExpressions;
using KprobeTrace.Bench;
using KprobeTrace.Export;
using Parquet;
using Parquet.Schema;
using Xunit;

namespace KprobeTrace.Tests.Report;

public sealed class ExportTests : IDisposable
{
    /// <summary>A call of one task, two nested ones of another that opens awkward names, and a fault.</summary>
    private const string Story = """
        image vmlinuz-test
        p:fork kernel_clone
        r:fork_ret kernel_clone
        p:open do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring
        r:open_ret do_sys_openat2 ret=$retval:s64
        p:silent never_called
        console 50 "Linux version 6.1.0-test"
        100 fork init-1
        250 fork_ret init-1
        300 open sh-42 dfd=-100 name=/etc/passwd
        340 open sh-42 dfd=7 name="a,\"b\"\n<script>'x'"
        380 open_ret sh-42 ret=3
        500 open_ret sh-42 ret=4
        600 fork "e\"v,i'l\n"-42
        601 fork fault "e\"v,i'l\n"-42 error=2 cr2=0x7fff0000
        """;

    private const string Second = """
        image vmlinuz-b
        p:open do_sys_openat2 flags=%dx:x32
        p:brk do_brk
        r:brk_ret do_brk
        10 open sh-3 flags=0x42
        20 open sh-3
        30 brk sh-3
        40 brk post sh-3
        """;

    private const string One = "p:f f\n1 f";

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [ProgramFact("babeltrace2")]
    public void Ctf_reads_back_in_babeltrace()
    {
        Export(_folder.Trace(Story), "ctf", "trace.ctf");

        string[] lines = ProgramFactAttribute.Run("babeltrace2", "--clock-cycles", _folder["trace.ctf"]).TrimEnd('\n').Split('\n');

        Assert.Equal(8, lines.Length);
        Assert.Contains("00000000000000000300] (+", lines[2], StringComparison.Ordinal);
        Assert.Contains("open: { seq = 3, cpu_id = 0, kind = ( \"pre\"", lines[2], StringComparison.Ordinal);
        Assert.Contains("{ dfd = -100, name = \"/etc/passwd\" }", lines[2], StringComparison.Ordinal);
        Assert.Contains("ret = 3", lines[4], StringComparison.Ordinal);
    }

    [ProgramFact("babeltrace2")]
    public void Ctf_has_no_field_for_what_an_event_does_not_have()
    {
        Export(ShapesTrace.Write(_folder["shapes.mpk"]), "ctf", "shapes.ctf");

        string[] lines = [.. ProgramFactAttribute.Run("babeltrace2", "--clock-cycles", _folder["shapes.ctf"]).TrimEnd('\n').Split('\n')
            .Select(static l => l[(l.IndexOf(") ", StringComparison.Ordinal) + 2)..])];

        const string Task = ", { pid = 42, comm = \"sh\" }";
        const string Address = "address = 0xFFFFFFFF81200000 }";
        Assert.Equal(
            string.Join('\n', (string[])[
                $"open: {{ seq = 1, cpu_id = 0, kind = ( \"pre\" : container = 0 ), {Address}{Task}, {{ dfd = -100, name = \"/etc/passwd\", list = \"[1,2]\", place = 0x{ShapesTrace.Place:X} }}",
                $"open:post: {{ seq = 2, cpu_id = 0, kind = ( \"post\" : container = 1 ), {Address}{Task}, {{ }}",
                $"open: {{ seq = 3, cpu_id = 0, kind = ( \"pre\" : container = 0 ), {Address}{Task}, {{ "
                    + "is_dfd = ( \"value\" : container = 1 ), dfd = { 5 }, is_name = ( \"unreadable\" : container = 0 ), name = { { } }, "
                    + "is_list = ( \"value\" : container = 1 ), list = { \"[3,null]\" }, is_place = ( \"value\" : container = 1 ), place = { 0x7FFF00001234 } }",
                $"open:fault: {{ seq = 4, cpu_id = 0, kind = ( \"fault\" : container = 2 ), {Address}{Task}, {{ vector = 14, error_code = 2, cr2 = 0xFFFF800000000010, handled = 1 }}",
                $"open_ret: {{ seq = 5, cpu_id = 0, kind = ( \"ret\" : container = 3 ), {Address}{Task}, {{ ret = -2 }}",
            ]),
            string.Join('\n', lines[..5]));
        Assert.StartsWith($"open: {{ seq = 6, cpu_id = 0, kind = ( \"pre\" : container = 0 ), {Address}, {{ is_dfd = ( \"unreadable\"", lines[5], StringComparison.Ordinal);
        Assert.Equal($"open:post: {{ seq = 7, cpu_id = 0, kind = ( \"post\" : container = 1 ), {Address}, {{ }}", lines[6]);
        Assert.Equal(9, lines.Length);
    }

    [Fact]
    public void Html_knows_no_task_from_task_zero()
    {
        _ = Tool.Good("html", ShapesTrace.Write(_folder["shapes.mpk"]), "-o", _folder["s.html"]);
        string page = File.ReadAllText(_folder["s.html"]);
        int start = page.IndexOf("id=\"data\">", StringComparison.Ordinal) + 10;
        JsonElement data = JsonDocument.Parse(page[start..page.IndexOf("</script>", start, StringComparison.Ordinal)]).RootElement[0];

        Assert.Equal(42, data.GetProperty("events")[0][5].GetInt32());
        Assert.Equal(JsonValueKind.Null, data.GetProperty("events")[5][5].ValueKind);
        Assert.Equal("""[["open","do_sys_openat2",3],["open_ret","do_sys_openat2",2],["grab","grab",1]]""", data.GetProperty("symbols").GetRawText());
    }

    [ProgramFact("babeltrace2")]
    public void A_large_ctf_trace_holds_every_event()
    {
        string trace = _folder["large.mpk"];
        SyntheticTrace.Write(trace, 30_000);
        Export(trace, "ctf", "large.ctf");

        string output = ProgramFactAttribute.Run("babeltrace2", _folder["large.ctf"]);

        Assert.Equal(30_000, output.Count(static c => c == '\n'));
    }

    [ProgramFact("babeltrace2")]
    public void Runs_of_one_history_become_ctf_traces_side_by_side()
    {
        string database = Two();
        Export(database, "ctf", "both.ctf");
        Export(database, "ctf", "second.ctf", "--run", "2");

        Assert.Equal(["run-1", "run-2"], Directory.GetDirectories(_folder["both.ctf"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(8 + 4, ProgramFactAttribute.Run("babeltrace2", _folder["both.ctf"]).Count(static c => c == '\n'));
        Assert.Equal(4, ProgramFactAttribute.Run("babeltrace2", _folder["second.ctf"]).Count(static c => c == '\n'));
    }

    [Fact]
    public async Task Parquet_reads_back_and_is_partitioned_by_run_and_name()
    {
        Export(Two(), "parquet", "set");

        string[] files = [.. Directory.EnumerateFiles(_folder["set"], "*.parquet", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(_folder["set"], f)).Order(StringComparer.Ordinal)];
        Assert.Equal(
            ["run=1/name=fork", "run=1/name=fork_ret", "run=1/name=open", "run=1/name=open_ret", "run=2/name=brk", "run=2/name=open"],
            files.Select(static f => f.Replace("/part-0.parquet", "", StringComparison.Ordinal)));

        using FileStream stream = File.OpenRead(Path.Combine(_folder["set"], "run=1/name=open/part-0.parquet"));
        ParquetReader reader = await ParquetReader.CreateAsync(stream);
        await using (reader)
        {
            using ParquetRowGroupReader group = reader.OpenRowGroupReader(0);
            Assert.Equal(2, group.RowCount);
            Assert.Equal([3L, 4L], await Numbers(group, reader, "seq"));
            Assert.Equal([-100L, 7L], await Numbers(group, reader, "arg_dfd"));
            string?[] names = new string?[2];
            await group.ReadAsync(Field(reader, "arg_name"), names.AsMemory());
            Assert.Equal("/etc/passwd|a,\"b\"\n<script>'x'", string.Join('|', names));
        }
    }

    [Fact]
    public void Jsonl_and_csv_hold_every_row_in_order()
    {
        string trace = _folder.Trace(Story);
        Export(trace, "jsonl", "e.jsonl");
        Export(trace, "csv", "c.csv", "--of", "calls");

        long[] seqs = [.. File.ReadLines(_folder["e.jsonl"]).Select(static l => JsonDocument.Parse(l).RootElement.GetProperty("seq").GetInt64())];
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], seqs);
        Assert.Equal(4, File.ReadAllLines(_folder["c.csv"]).Length);
        Assert.Contains("no view nowhere", Tool.Bad(1, "export", trace, "--to", "csv", "--of", "nowhere", "-o", _folder["x"]), StringComparison.Ordinal);
        Assert.Contains("no view evnts; did you mean events?", Tool.Bad(1, "export", trace, "--to", "csv", "--of", "evnts", "-o", _folder["x"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Misspelt_format_is_told_in_one_line_the_one_that_was_meant()
    {
        string said = Tool.Bad(2, "export", _folder.Trace(One), "--to", "perfeto", "-o", _folder["x"]).Split('\n')[0];

        Assert.EndsWith("Must be one of: 'perfetto', 'ctf', 'csv', 'jsonl', 'parquet', 'clickhouse'; did you mean perfetto?", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pipe_that_the_shell_names_as_a_link_takes_an_export()
    {
        using AnonymousPipeServerStream pipe = new(PipeDirection.In);
        Task<string> read = new StreamReader(pipe).ReadToEndAsync();
        Assert.Equal("", Tool.Good("export", _folder.Trace(Story), "--to", "jsonl", "-o", "/dev/fd/" + pipe.GetClientHandleAsString()));
        pipe.DisposeLocalCopyOfClientHandle();

        Assert.Equal(8, (await read).Count(static c => c == '\n'));
    }

    [Fact]
    public void Html_holds_its_data_and_nothing_breaks_out_of_it()
    {
        _ = Tool.Good("html", _folder.Trace(Story), "-o", _folder["r.html"]);
        string page = File.ReadAllText(_folder["r.html"]);

        Assert.DoesNotContain("http://", page, StringComparison.Ordinal);
        Assert.DoesNotContain("https://", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script>'x'", page, StringComparison.Ordinal);
        int start = page.IndexOf("id=\"data\">", StringComparison.Ordinal) + 10;
        JsonElement data = JsonDocument.Parse(page[start..page.IndexOf("</script>", start, StringComparison.Ordinal)]).RootElement[0];
        Assert.Equal(8, data.GetProperty("events").GetArrayLength());
        Assert.Equal("Linux version 6.1.0-test", data.GetProperty("console")[0][1].GetString());
        Assert.Equal(2, data.GetProperty("latencies").GetArrayLength());
    }

    [ProgramFact("chromium")]
    public void Html_shows_itself_in_a_browser_without_script_errors()
    {
        string trace = _folder["large.mpk"];
        SyntheticTrace.Write(trace, 20_000);
        _ = Tool.Good("html", trace, "-o", _folder["large.html"]);
        _ = Tool.Good("html", _folder.Trace(Story), "-o", _folder["small.html"]);

        foreach (string page in (string[])["large.html", "small.html"])
        {
            string dom = Dom(page);

            // The page's last statement sets this: an error in any part of it would have ended the script.
            Assert.Contains("data-ready=\"yes\"", dom, StringComparison.Ordinal);
            Assert.Contains("class=\"row", dom, StringComparison.Ordinal);
            Assert.Contains("Latency, entry to return", dom, StringComparison.Ordinal);
        }
    }

    [ProgramFact("chromium")]
    public void Html_of_several_runs_lists_them_and_shows_the_one_its_address_names()
    {
        _ = Tool.Good("html", Two(), "-o", _folder["two.html"]);
        _ = Tool.Good("html", Two(), "--run", "2", "-o", _folder["second.html"]);

        Assert.Contains(">Run 1: vmlinuz-test</h1>", Dom("two.html"), StringComparison.Ordinal);
        string second = Dom("two.html#run=2");
        Assert.Contains("data-ready=\"yes\"", second, StringComparison.Ordinal);
        Assert.Contains(">Run 2: vmlinuz-b</h1>", second, StringComparison.Ordinal);
        Assert.Contains("4 events of 3 probes", second, StringComparison.Ordinal);
        Assert.Equal(2, Regex.Count(second, "<tr aria-selected="));
        Assert.Contains(">vmlinuz-b</h1>", Dom("second.html"), StringComparison.Ordinal);
    }

    [Fact]
    public void Html_of_more_runs_than_a_page_takes_says_which_there_are()
    {
        string[] traces = [.. Enumerable.Range(1, HtmlExport.MaxRuns + 1).Select(n => _folder.Trace($"image vmlinuz-{n}\n{One}", $"{n}.mpk"))];
        _ = Tool.Good(["add", _folder["many.db"], .. traces]);

        Assert.Contains(
            "holds 17 runs, 1 to 17; a page takes 16, name one with --run",
            Tool.Bad(1, "html", _folder["many.db"], "-o", _folder["many.html"]),
            StringComparison.Ordinal);
        _ = Tool.Good("html", _folder["many.db"], "--run", "17", "-o", _folder["many.html"]);
        Assert.Contains("there is no run 18", Tool.Bad(1, "html", _folder["many.db"], "--run", "18", "-o", _folder["x.html"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Exports_do_not_overwrite_folders_and_leave_nothing_behind_on_failure()
    {
        string trace = _folder.Trace(One);
        _ = Directory.CreateDirectory(_folder["full"]);
        File.WriteAllText(Path.Combine(_folder["full"], "keep"), "");

        Assert.Contains("exists", Tool.Bad(1, "export", trace, "--to", "ctf", "-o", _folder["full"]), StringComparison.Ordinal);
        Assert.Contains("is a directory", Tool.Bad(1, "export", trace, "--to", "csv", "-o", _folder["full"]), StringComparison.Ordinal);
        Assert.Contains("cannot be written", Tool.Bad(1, "export", trace, "--to", "csv", "-o", _folder["no/such/folder"]), StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(_folder["full"], "keep")));
    }

    private string Dom(string page) => ProgramFactAttribute.Run(
        "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + _folder["profile"],
        "--virtual-time-budget=10000", "--dump-dom", "file://" + _folder[page])

        // Where a name may go on in the next line is no part of it.
        .Replace("<wbr>", "", StringComparison.Ordinal);

    private void Export(string source, string format, string target, params string[] more) =>
        Assert.Equal("", Tool.Good(["export", source, "--to", format, "-o", _folder[target], .. more]));

    private static DataField Field(ParquetReader reader, string name) =>
        reader.Schema.GetDataFields().Single(f => f.Name == name);

    private static async Task<long?[]> Numbers(ParquetRowGroupReader group, ParquetReader reader, string name)
    {
        long?[] values = new long?[group.RowCount];
        await group.ReadAsync<long>(Field(reader, name), values.AsMemory());
        return values;
    }

    /// <summary>A history of two runs of different kernels.</summary>
    private string Two()
    {
        string database = _folder["two.db"];
        _ = Tool.Good("add", database, _folder.Trace(Story), _folder.Trace(Second, "b.mpk"));
        return database;
    }
}
