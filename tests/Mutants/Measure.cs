using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace KprobeTrace.Tests.Mutants;

/// <summary>The whole measure: draw, plant, find out who sees what, try each fault, print rates and survivors.</summary>
internal sealed class Measure(Settings settings)
{
    // A host processor stands beside exact arithmetic: its oracle compares thousands of operands a form.
    private const string WithOracle = "src/Core/Cpu/Float/";

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

        using Scratch scratch = new(settings.Root);
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
        _left = tried.Count;
        ConcurrentDictionary<int, Verdict> verdicts = new();
        Trial trial = new(scratch, classes, new Nearness(scratch.Folder, classes));
        Parallel.ForEach(Partitioner.Create(tried, EnumerablePartitionerOptions.NoBuffering), new ParallelOptions { MaxDegreeOfParallelism = settings.Jobs }, mutant =>
        {
            Verdict verdict = verdicts[mutant.Id] = trial.Run(mutant, Share());
            Print($"{(verdict.Killer is null ? "SURVIVED" : "killed  ")} {verdict.Seconds,6:F1} s {mutant}{(settings.Verbose && verdict.Killer is string killer ? $"\n         by {killer}" : "")}");
        });
        Report.Print(chosen, verdicts, argued, settings.Budget > TimeSpan.Zero);
        Print($"{_clock.Elapsed.TotalMinutes:F1} minutes");
    }

    // The part of the budget that one more fault may take: what the build and earlier ones left, shared by those still to come.
    private TimeSpan Share()
    {
        int left = Interlocked.Decrement(ref _left) + 1;
        return settings.Budget == TimeSpan.Zero ? TimeSpan.Zero : TimeSpan.FromSeconds(Math.Max(0.1, (settings.Budget - _clock.Elapsed).TotalSeconds * settings.Jobs / (left + settings.Jobs - 1)));
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
