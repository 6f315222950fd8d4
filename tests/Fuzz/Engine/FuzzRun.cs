using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace KprobeTrace.Fuzz.Engine;

/// <summary>Runs targets in children, keeps what fails, and prints how to repeat it.</summary>
internal sealed class FuzzRun(FuzzOptions options)
{
    private const int MostFailures = 12;

    private readonly Lock _lock = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Dictionary<string, int> _kinds = [];
    private long _executions;
    private int _failures;

    /// <summary>Runs everything; the exit status is 1 when anything failed.</summary>
    public int Run()
    {
        double share = options.Seconds * options.Jobs / options.Targets.Sum(FuzzTargets.ShareOf);
        ParallelOptions parallel = new() { MaxDegreeOfParallelism = options.Jobs };
        Parallel.ForEach(System.Collections.Concurrent.Partitioner.Create(options.Targets, System.Collections.Concurrent.EnumerablePartitionerOptions.NoBuffering), parallel, target => RunTarget(target, share * FuzzTargets.ShareOf(target)));
        Say($"fuzz: {_executions.ToString("N0", CultureInfo.InvariantCulture)} executions, {Kinds("crash")} crashes, {Kinds("hang")} hangs, "
            + $"{_failures - Kinds("crash") - Kinds("hang")} other failures in {_clock.Elapsed.TotalSeconds:f0} s; seed {options.Seed}");
        return _failures == 0 ? 0 : 1;
    }

    private int Kinds(string kind) => _kinds.GetValueOrDefault(kind);

    private void RunTarget(string target, double seconds)
    {
        Stopwatch clock = Stopwatch.StartNew();
        HashSet<string> known = [];
        string statusFile = Path.GetTempFileName();
        long next = options.From;
        long end = options.From + options.Count;
        long done = 0;
        int failures = 0;
        while (next < end && clock.Elapsed.TotalSeconds < seconds && known.Count < MostFailures)
        {
            using StatusPage status = new(statusFile);
            (status.Index, status.Done, status.Hung) = (next, 0, false);
            using Process child = FuzzChild.Start(
                "worker", target, options.Seed.ToString(CultureInfo.InvariantCulture), next.ToString(CultureInfo.InvariantCulture), (end - next).ToString(CultureInfo.InvariantCulture),
                (seconds - clock.Elapsed.TotalSeconds).ToString(CultureInfo.InvariantCulture), statusFile);
            Task<string> error = child.StandardError.ReadToEndAsync();
            while (child.StandardOutput.ReadLine() is string line)
            {
                if (FuzzWorker.Parse(line) is (long index, Outcome outcome))
                {
                    failures += Keep(target, index, outcome, known) ? 1 : 0;
                }
            }

            child.WaitForExit();
            done += status.Done;
            if (child.ExitCode == 0)
            {
                break;
            }

            Outcome end1 = status.Hung
                ? new Outcome("hang", $"hang {status.Index}", $"not done after {FuzzLimits.Time.TotalSeconds} s")
                : new Outcome("crash", "crash " + FuzzChild.FirstLine(error.Result), $"exit status {child.ExitCode}: {error.Result}");
            failures += Keep(target, status.Index, end1, known) ? 1 : 0;
            next = status.Index + 1;
        }

        File.Delete(statusFile);
        lock (_lock)
        {
            _executions += done;
            double took = clock.Elapsed.TotalSeconds;
            Say(string.Create(CultureInfo.InvariantCulture, $"{target,-12} {done,12:N0} executions in {took,6:f0} s, {failures} failures"));
        }
    }

    /// <summary>Writes a failing input, made smaller, unless its like is known.</summary>
    private bool Keep(string target, long index, Outcome outcome, HashSet<string> known)
    {
        if (!known.Add(outcome.Signature))
        {
            return false;
        }

        byte[] input = FuzzTargets.Create(target).Generate(FuzzRandom.Of(options.Seed, index));
        string folder = Directory.CreateDirectory(Path.Combine("artifacts", "fuzz")).FullName;
        string file = Path.Combine(folder, $"{target}-{Convert.ToHexStringLower(SHA256.HashData(input))[..10]}");
        File.WriteAllBytes(file, input);
        bool inProcess = outcome.Kind is "exception" or "invariant";
        if (inProcess || outcome.Kind == "crash")
        {
            using Process child = FuzzChild.Start("minimize", target, file, inProcess ? "in" : "out");
            _ = child.StandardOutput.ReadToEndAsync();
            _ = child.StandardError.ReadToEndAsync();
            if (!child.WaitForExit(TimeSpan.FromSeconds(90)))
            {
                child.Kill();
            }
        }

        lock (_lock)
        {
            _failures++;
            _kinds[outcome.Kind] = _kinds.GetValueOrDefault(outcome.Kind) + 1;
            Say($"FAILURE {target} #{index}: {outcome.Kind}: {FuzzChild.FirstLine(outcome.Detail)}");
            foreach (string line in outcome.Detail.Split('\n').Skip(1).Take(6))
            {
                Say("        " + line.Trim());
            }

            Say($"        repeat: dotnet run --project tests/Fuzz -c Release -- replay {Path.GetRelativePath(".", file)}");
            Say($"        or:     dotnet run --project tests/Fuzz -c Release -- {target} --seed {options.Seed} --from {index} --count 1");
        }

        return true;
    }

    /// <summary>The child that makes an input smaller, in this process where that survives it.</summary>
    public static int Minimize(string target, string file, bool inProcess)
    {
        byte[] input = File.ReadAllBytes(file);
        using TextWriter reports = FuzzWorker.ReportsOnly();
        IFuzzTarget fuzzed = FuzzTargets.Create(target);
        string trial = file + ".trial";
        Outcome? Try(byte[] bytes)
        {
            if (inProcess)
            {
                return Outcome.Of(fuzzed, bytes);
            }

            File.WriteAllBytes(trial, bytes);
            return FuzzChild.Replay(target, trial);
        }

        string? signature = Try(input)?.Signature;
        if (signature is not null)
        {
            File.WriteAllBytes(file, Minimizer.Minimize(input, bytes => Try(bytes)?.Signature == signature));
        }

        File.Delete(trial);
        return 0;
    }

    /// <summary>Replays files, and folders of them; a file is for the target that its own name or its folder's begins with.</summary>
    public static int Replay(IEnumerable<string> paths)
    {
        int failures = 0;
        int count = 0;
        foreach (string file in paths.SelectMany(FilesOf))
        {
            string name = Path.GetFileName(file);
            string folder = Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(file))!);
            string target = FuzzTargets.Names.FirstOrDefault(t => name.StartsWith(t + "-", StringComparison.Ordinal) || folder == t)
                ?? throw new KprobeTraceException($"{file}: neither its name nor its folder's begins with the name of a target");
            Outcome? outcome = FuzzChild.Replay(target, file);
            count++;
            if (outcome is not null)
            {
                failures++;
                Say($"FAILURE {file}: {outcome.Kind}: {outcome.Detail}");
            }
        }

        Say($"replay: {count} inputs, {failures} failures");
        return failures == 0 && count > 0 ? 0 : 1;
    }

    private static IEnumerable<string> FilesOf(string path) => Directory.Exists(path)
        ? Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Where(f => Path.GetFileName(f) != "README.md").Order(StringComparer.Ordinal)
        : File.Exists(path) ? [path] : throw new KprobeTraceException($"{path}: there is no such file or folder");

    private static void Say(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }
}
