using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Engines;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;

namespace KprobeTrace.Bench;

/// <summary>Runs the benchmarks of a class through BenchmarkDotNet, by CPU time.</summary>
/// <remarks>
/// In this process: a generated project would be restored and built outside of the repository's locked packages. A measured call is
/// long, and the best of a few counts, so that a short run serves.
/// </remarks>
internal static class MicroBenchmark
{
    /// <summary>CPU seconds of the best call and bytes allocated in one, by the name of each benchmark's method.</summary>
    /// <param name="iterations">How many calls are measured, after one that is not.</param>
    /// <exception cref="InvalidOperationException">A benchmark failed; BenchmarkDotNet's log is in the message.</exception>
    internal static Dictionary<string, (double Seconds, long Allocated)> Run<T>(int iterations)
    {
        string artifacts = Directory.CreateTempSubdirectory("micro-bench-").FullName;
        try
        {
            AccumulationLogger log = new();
            Job job = Job.Default
                .WithToolchain(InProcessNoEmitToolchain.Instance).WithClock(new CpuClock()).WithStrategy(RunStrategy.Monitoring)
                .WithWarmupCount(1).WithIterationCount(iterations).WithInvocationCount(1).WithUnrollFactor(1);
            Summary summary = BenchmarkRunner.Run<T>(
                ManualConfig.CreateEmpty().AddJob(job).AddDiagnoser(MemoryDiagnoser.Default).AddLogger(log).WithArtifactsPath(artifacts));
            return summary.Reports.Length > 0 && summary.Reports.All(static r => r.Success && r.ResultStatistics is not null)
                ? summary.Reports.ToDictionary(
                    static r => r.BenchmarkCase.Descriptor.WorkloadMethod.Name,
                    static r => (r.ResultStatistics!.Min / 1e9, r.GcStats.GetBytesAllocatedPerOperation(r.BenchmarkCase) ?? 0))
                : throw new InvalidOperationException(log.GetLog());
        }
        finally
        {
            Directory.Delete(artifacts, recursive: true);
        }
    }
}
