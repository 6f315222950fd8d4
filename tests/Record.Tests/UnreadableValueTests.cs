using System.Text.Json;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>One rule for values that could not be read (docs/probes.md), in everything that shows or compares them.</summary>
public sealed class UnreadableValueTests(UnreadableValueTests.Recording recording) : IClassFixture<UnreadableValueTests.Recording>
{
    private const string Nowhere = "@0xffff900000000000";

    private static readonly string[] _fetches =
        [$"number={Nowhere}:u64", $"signed={Nowhere}:s32", $"bits={Nowhere}:b4@0/8", $"pair={Nowhere}:u8[2]", $"text={Nowhere}:string", $"place={Nowhere}:symbol", $"named={Nowhere}:symstr"];

    private static readonly string _definition = $"p:bad vfs_write count=%dx:u64 {string.Join(' ', _fetches)}";

    [Fact]
    public void Text_shows_a_fault()
    {
        string[] lines = recording.Report("events", "--kind", "pre").Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.NotEmpty(lines);
        Assert.All(lines, line => Assert.EndsWith(
            " number=(fault) signed=(fault) bits=(fault) pair={(fault),(fault)} text=(fault) place=(fault) named=(fault)", line, StringComparison.Ordinal));
    }

    [Fact]
    public void Json_of_the_arguments_has_null()
    {
        foreach (string json in recording.Rows("select args from events where kind = 'pre'"))
        {
            using JsonDocument arguments = JsonDocument.Parse(json);
            JsonElement root = arguments.RootElement;
            Assert.Equal(JsonValueKind.Number, root.GetProperty("count").ValueKind);
            Assert.Equal("[null,null]", root.GetProperty("pair").GetRawText());
            foreach (string name in new[] { "number", "signed", "bits", "text", "place", "named" })
            {
                Assert.Equal(JsonValueKind.Null, root.GetProperty(name).ValueKind);
            }
        }
    }

    [Fact]
    public void Sql_has_null_of_which_aggregates_know_nothing()
    {
        string hits = recording.Rows("select count(*) from bad where kind = 'pre'").Single();

        Assert.Equal($"{hits},0,0,0,0,0,0", recording.Rows(
            "select count(*) || ',' || count(number) || ',' || count(signed) || ',' || count(bits) || ',' || count(text) || ',' || count(place) || ',' || count(named) from bad where kind = 'pre'").Single());
        Assert.Equal("1", recording.Rows("select avg(number) is null from bad").Single());
        Assert.Equal("0", recording.Rows("select count(*) from bad where number = 0 or number <> 0 or text = '' or text <> ''").Single());
    }

    [Theory]
    [InlineData("number == 0", false)]
    [InlineData("number != 0", false)]
    [InlineData("!(number == 0)", false)]
    [InlineData("text == ''", false)]
    [InlineData("text != ''", false)]
    [InlineData("!(text ~ '*')", false)]
    [InlineData("number == 0 || count >= 0", true)]
    public void Filter_holds_of_no_comparison_with_it(string filter, bool all)
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "-q", "--console", "none", "--kinds", "pre", "-p", _definition, "--filter", "bad: " + filter);

        run.Good();
        Assert.Equal(all ? recording.Hits : 0, WholeTrace.Read(folder["trace.mpk"]).Events.Count);
    }

    /// <summary>The demo kernel with one probe that fetches from where nothing is mapped.</summary>
    public sealed class Recording : IDisposable
    {
        private readonly Folder _folder = new();

        public Recording()
        {
            using ToolRun run = ToolRun.Record(_folder.Name, "-q", "--console", "none", "-p", _definition);
            run.Good();
            Hits = WholeTrace.Read(_folder["trace.mpk"]).Events.Count(e => e.Kind == TraceEventKind.Pre);
        }

        /// <summary>How often the probe was hit.</summary>
        internal int Hits { get; }

        public void Dispose() => _folder.Dispose();

        internal string Report(string verb, params string[] arguments)
        {
            using ToolRun run = ToolRun.Report(_folder.Name, [verb, "trace.mpk", .. arguments]);
            return run.Good().Output;
        }

        /// <summary>The rows of a query with one column.</summary>
        internal string[] Rows(string sql)
        {
            using JsonDocument rows = JsonDocument.Parse(Report("query", sql, "--format", "json"));
            return [.. rows.RootElement.EnumerateArray().Select(row => row.EnumerateObject().Single().Value.ToString())];
        }
    }
}
