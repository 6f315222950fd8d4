using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>What <c>-</c> means where a file for results is named.</summary>
public sealed class StandardOutputTests : IDisposable
{
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("export", "--to", "csv")]
    [InlineData("export", "--to", "jsonl")]
    [InlineData("export", "--to", "perfetto")]
    [InlineData("html")]
    public void A_stream_goes_to_standard_output_as_it_would_to_a_file(params string[] verb)
    {
        string trace = _folder.Trace("p:open do_open name=+0(%si):string\n7 open sh-2 name=\"a,b\"");
        string[] line = [verb[0], trace, .. verb[1..], "-o"];

        string printed = Tool.Good([.. line, "-"]);
        string quiet = Tool.Good([.. line, _folder["file"]]);

        Assert.Equal(File.ReadAllText(_folder["file"]), printed);
        Assert.Empty(quiet);
        Assert.False(File.Exists("-"));
    }

    [Theory]
    [InlineData("-o -: this format is a folder", "export", "TRACE", "--to", "ctf", "-o", "-")]
    [InlineData("-o -: this format is a folder", "export", "TRACE", "--to", "parquet", "-o", "-")]
    [InlineData("-o -: this format is a folder", "export", "TRACE", "--to", "clickhouse", "-o", "-")]
    [InlineData("--db -: a database is no stream", "events", "TRACE", "--db", "-")]
    [InlineData("--db -: a database is no stream", "TRACE", "--db", "-")]
    [InlineData("add -: a database is no stream", "add", "-", "TRACE")]
    public void What_cannot_go_there_is_refused_and_no_file_of_that_name_is_made(string said, params string[] line)
    {
        string trace = _folder.Trace("p:f f\n1 f");

        string error = Tool.Bad(1, [.. line.Select(a => a == "TRACE" ? trace : a)]);

        Assert.Contains(said, error, StringComparison.Ordinal);
        Assert.EndsWith("(a file of that name is written ./-)", error, StringComparison.Ordinal);
        Assert.False(Path.Exists("-"));
    }
}
