using KprobeTrace.Fuzz.Engine;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Histories of odd traces in every format of export.</summary>
internal sealed class ExportTarget : IFuzzTarget
{
    private static readonly string[] _views = ["events", "calls", "regs", "faults", "symbols", "console", "probes", "runs", "text_pokes", "nosuch"];

    private readonly string _folder = WorkFolder.Create();

    public string Name => "export";

    public string Summary => "odd and damaged traces in every export format";

    public byte[] Generate(FuzzRandom random) => OddTrace.Generate(random);

    public void Run(byte[] input)
    {
        string trace = Path.Combine(_folder, "t.mpk");
        File.WriteAllBytes(trace, input);
        WorkFolder.Remove(trace + ".db");
        (int exit, _) = ReportRun.Run(trace);
        if (exit != 0)
        {
            return;
        }

        string view = _views[input.Length % _views.Length];
        Export(trace, "perfetto", "out.pftrace");
        Export(trace, "ctf", "ctf");
        Export(trace, "parquet", "parquet");
        Export(trace, "clickhouse", "clickhouse");
        Export(trace, "csv", "out.csv", "--of", view);
        Export(trace, "jsonl", "out.jsonl", "--of", view);
        string page = Path.Combine(_folder, "page.html");
        ReportRun.Run("html", trace, "-o", page);
        WorkFolder.Remove(page);
    }

    private void Export(string trace, string format, string name, params string[] more)
    {
        string path = Path.Combine(_folder, name);
        (int exit, _) = ReportRun.Run(["export", trace, "--to", format, "-o", path, .. more]);
        InvariantException.Require(
            exit != 0 || File.Exists(path) || Directory.Exists(path), $"an export to {format} succeeded and wrote nothing");
        InvariantException.Require(
            exit == 0 || !(File.Exists(path) || Directory.Exists(path)), $"an export to {format} failed and left something");
        WorkFolder.Remove(path);
    }
}
