using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace KprobeTrace.Tests.Mutants;

/// <summary>The whole measure: draw, plant, find out who sees what, try each fault, print rates and survivors.</summary>
internal sealed class Measure(Settings settings)
{
    // A host processor stands beside exact arithmetic: its oracle compares thousands of operands a form.
    private const string WithOracle = "src/Core/Cpu/Float/";

    // Milliseconds of tests that one fault gets for itself. What notices a fault is nearly always among them.
    private const long MostAlone = 20_000;

    private static readonly TimeSpan _leastShare = TimeSpan.FromSeconds(2);
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Lock _printing = new();
    private int _left;
    private volatile bool _abandoned;

    /// <summary>Runs it. Returns 0 also when faults survived: it reports, it does not judge.</summary>
    public int Run()
    {
        List<Site> sites = [.. Sources.Sites(settings.Root).Where(site => !site.File.StartsWith(WithOracle, StringComparison.Ordinal))];
        string[] unknown = [.. settings.Folders.Except(sites.Select(site => site.Folder))];
        if (unknown.Length > 0)
        {
            Console.Error.WriteLine($"mutants: no such folder: {string.Join(", ", unknown)}; there are {string.Join(", ", sites.Select(site => site.Folder).Distinct().Order(StringComparer.Ordinal))}");
            return 1;
        }

        ArguedFaults argued = new(settings.Argued);
        foreach (string stale in argued.Stale(sites))
        {
            Print($"argued, but gone: {stale}");
        }

        List<FolderPlan> plan = settings.Rerun is string earlier
            ? Sampler.All(EarlierSurvivors.Find(sites, EarlierSurvivors.Read(File.ReadLines(earlier)), Print))
            : new Sampler(settings.Seed).Plan(sites.Where(site => settings.Folders.Length == 0 || settings.Folders.Contains(site.Folder)), settings.Count);
        List<Mutant> planted = Draw(plan);
        if (settings.ListOnly)
        {
            planted.ForEach(mutant => Print(mutant.ToString()));
            return 0;
        }

        using Scratch scratch = new(settings.Root, settings.Budget > TimeSpan.Zero);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Abandon(scratch, context));
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Abandon(scratch, context));
        try
        {
            Try(scratch, plan, planted, sites.Count, argued);
        }
        catch (Exception) when (_abandoned)
        {
            Thread.Sleep(Timeout.Infinite); // all it stands on is being deleted: the one who does that ends the process
        }

        return 0;
    }

    private void Try(Scratch scratch, List<FolderPlan> plan, List<Mutant> planted, int places, ArguedFaults argued)
    {
        HashSet<int> standing = scratch.Plant(planted);
        List<Mutant> chosen = [.. plan.SelectMany(folder => planted.Where(mutant => mutant.Folder == folder.Folder && standing.Contains(mutant.Id)).Take(folder.Wanted))];
        Print($"{places:N0} places; {chosen.Count} faults {(settings.Rerun is null ? $"planted by seed {settings.Seed}" : $"of {settings.Rerun}")}, built in {_clock.Elapsed.TotalSeconds:F0} s");
        List<TestClass> classes = settings.Budget > TimeSpan.Zero ? Coverage.Assume(scratch, planted.Count) : Coverage.Measure(scratch, planted.Count, settings.Jobs, Print, settings.Verbose ? Print : static _ => { });
        Print($"{classes.Count} classes of tests known after {_clock.Elapsed.TotalSeconds:F0} s");
        List<Mutant> tried = [.. chosen.Where(mutant => argued.ReasonOf(mutant.Fault) is null)];
        ConcurrentDictionary<int, Verdict> verdicts = settings.Budget > TimeSpan.Zero ? TryQuickly(scratch, classes, tried) : TryAll(scratch, classes, tried);
        chosen.RemoveAll(mutant => !verdicts.ContainsKey(mutant.Id) && argued.ReasonOf(mutant.Fault) is null);
        Report.Print(chosen, verdicts, argued, settings.Budget > TimeSpan.Zero ? null : classes);
        Print($"{_clock.Elapsed.TotalMinutes:F1} minutes");
    }

    // Each by itself with its share of the budget.
    private ConcurrentDictionary<int, Verdict> TryQuickly(Scratch scratch, List<TestClass> classes, List<Mutant> tried)
    {
        ConcurrentDictionary<int, Verdict> verdicts = new();
        Trial trial = new(scratch, new Nearness(scratch.Folder, classes));
        _left = tried.Count;
        ForEach(tried, mutant =>
        {
            TimeSpan share = Share();
            if (share < _leastShare)
            {
                Print($"not tried, as no time is left: {mutant}");
                return;
            }

            Verdict verdict = verdicts[mutant.Id] = trial.Alone(mutant, classes, share);
            PrintVerdict(mutant, verdict, "SURVIVED");
        });
        return verdicts;
    }

    // Each by itself with the classes that are likeliest to notice it, then those left over together with the other classes.
    private ConcurrentDictionary<int, Verdict> TryAll(Scratch scratch, List<TestClass> classes, List<Mutant> tried)
    {
        ConcurrentDictionary<int, Verdict> verdicts = new();
        ConcurrentDictionary<TestClass, ConcurrentBag<Mutant>> others = new();
        Nearness nearness = new(scratch.Folder, classes);
        Trial trial = new(scratch, nearness);
        ForEach(tried, mutant =>
        {
            long sum = 0;
            List<TestClass> sees = [.. nearness.Order(mutant, classes.Where(tests => tests.Reached.Contains(mutant.Id)))];
            List<TestClass> likely = [.. sees.TakeWhile((tests, i) => (sum += tests.Milliseconds) <= MostAlone || i == 0)];
            Verdict verdict = verdicts[mutant.Id] = trial.Alone(mutant, likely, TimeSpan.Zero);
            PrintVerdict(mutant, verdict, sees.Count > likely.Count ? "so far  " : "SURVIVED");
            foreach (TestClass tests in sees.Skip(likely.Count).Where(_ => verdict.Killer is null))
            {
                others.GetOrAdd(tests, _ => []).Add(mutant);
            }
        });
        Print($"{verdicts.Values.Count(verdict => verdict.Killer is null)} left after {_clock.Elapsed.TotalMinutes:F1} minutes; now together");
        new SharedTrials(trial.Together, settings.Jobs, (mutant, killer) => PrintVerdict(mutant, verdicts[mutant.Id] = verdicts[mutant.Id] with { Killer = killer }, ""))
            .Run(others.Select(pair => (pair.Key, pair.Value.OrderBy(mutant => mutant.Id).ToList())));
        return verdicts;
    }

    private void ForEach(List<Mutant> mutants, Action<Mutant> action) =>
        Parallel.ForEach(Partitioner.Create(mutants, EnumerablePartitionerOptions.NoBuffering), new ParallelOptions { MaxDegreeOfParallelism = settings.Jobs }, action);

    private void PrintVerdict(Mutant mutant, Verdict verdict, string alive) =>
        Print($"{(verdict.Killer is null ? alive : "killed  ")} {verdict.Seconds,6:F1} s {mutant}{(settings.Verbose && verdict.Killer is string killer ? $"\n         by {killer}" : "")}");

    // The part of the budget that one more fault may take: what the build and earlier ones left, shared by those still to come.
    private TimeSpan Share()
    {
        int left = Interlocked.Decrement(ref _left) + 1;
        return TimeSpan.FromSeconds(Math.Max(0, (settings.Budget - _clock.Elapsed).TotalSeconds * settings.Jobs / (left + settings.Jobs - 1)));
    }

    // More than wanted are planted, since some do not compile; none inside another, so that each can be switched by itself.
    private List<Mutant> Draw(List<FolderPlan> plan)
    {
        List<Mutant> planted = [];
        Dictionary<string, List<Site>> byFile = [];
        foreach (FolderPlan folder in plan)
        {
            int left = settings.Rerun is null ? folder.Wanted + folder.Wanted / 2 + 2 : folder.Order.Count;
            foreach (Site site in folder.Order.TakeWhile(_ => left > 0))
            {
                List<Site> taken = byFile.TryGetValue(site.File, out List<Site>? there) ? there : byFile[site.File] = [];
                if (taken.TrueForAll(other => !other.Guarded.FullSpan.OverlapsWith(site.Guarded.FullSpan)))
                {
                    taken.Add(site);
                    planted.Add(new Mutant(planted.Count, site, site.Fault));
                    left--;
                }
                else if (settings.Rerun is not null)
                {
                    Print($"not planted, as another stands there: {site.File}:{site.Line} {site.Fault.Before}");
                }
            }
        }

        return planted;
    }

    private void Print(string line)
    {
        lock (_printing)
        {
            Console.WriteLine(line);
        }
    }

    private void Abandon(Scratch scratch, PosixSignalContext context)
    {
        context.Cancel = true;
        _abandoned = true;
        scratch.Dispose();
        Console.Error.WriteLine("mutants: broken off");
        Environment.Exit(130);
    }
}
