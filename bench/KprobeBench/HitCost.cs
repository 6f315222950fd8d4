using System.Diagnostics;
using KprobeTrace.Recording;

namespace KprobeTrace.Bench;

/// <summary>What a hit costs: the same instructions of the Fibonacci loop with and without a probe on its function.</summary>
internal sealed class HitCost(string image, long instructions)
{
    /// <summary>CPU nanoseconds a hit adds with one definition, filter and set of event kinds.</summary>
    public double Measure(string? filter, EventKinds kinds, int rounds)
    {
        double best = double.MaxValue;
        for (int round = 0; round < rounds; round++)
        {
            (double plain, _) = Run(null, null, kinds);
            (double probed, ulong hits) = Run("p:hit fib n=%di:u32", filter, kinds);
            best = Math.Min(best, (probed - plain) * 1e9 / hits);
        }

        return best;
    }

    private (double Seconds, ulong Hits) Run(string? probe, string? filter, EventKinds kinds)
    {
        string path = Path.GetTempFileName();
        RecordingOptions options = new()
        {
            Image = image,
            Probes = [probe ?? "p:never run"],
            Filters = filter is null ? [] : [$"hit: {filter}"],
            Kinds = kinds,
            Output = path,
            MaxInstructions = instructions,
        };
        using Process process = Process.GetCurrentProcess();
        using Recorder recorder = Recorder.Open(options, null);
        TimeSpan before = process.TotalProcessorTime;
        recorder.Run();
        process.Refresh();
        double seconds = (process.TotalProcessorTime - before).TotalSeconds;
        ulong hits = recorder.Session.Kprobes.Probes()[0].Hits;
        File.Delete(path);
        return (seconds, hits);
    }
}
