using System.Globalization;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Histories written as traces and imported, in a folder of their own.</summary>
internal sealed class HistoryDatabase : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kprobe-model-").FullName;

    /// <summary>Writes and imports the histories of plans, each a run: a trace where it is one, else a database that they were added to.</summary>
    internal HistoryDatabase(IReadOnlyList<HistoryPlan> plans)
    {
        Runs = [.. plans.Select(static (p, i) => new HistoryRun(i + 1, Numbered(HistorySimulation.Of(p), i + 1)))];
        Traces = [.. Runs.Select(r => r.History.Write(this[string.Create(CultureInfo.InvariantCulture, $"run-{r.Run}.mpk")]))];
        Source = Traces[0];
        if (Traces.Count > 1)
        {
            Source = this["runs.db"];
            _ = Tool.Good(["add", Source, .. Traces]);
        }
    }

    /// <summary>The runs as the models see them.</summary>
    internal IReadOnlyList<HistoryRun> Runs { get; }

    /// <summary>What the verbs take as SRC.</summary>
    internal string Source { get; }

    /// <summary>The trace of each run.</summary>
    internal IReadOnlyList<string> Traces { get; }

    /// <summary>A path in the folder.</summary>
    internal string this[string name] => Path.Combine(_folder, name);

    /// <summary>Says in the trace which run it is: a trace is added once, and so would be two that are equal.</summary>
    private static History Numbered(History history, int run) => history with
    {
        Header = history.Header with { Producer = string.Create(CultureInfo.InvariantCulture, $"run {run}") },
    };

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
