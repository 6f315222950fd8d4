using System.CommandLine;
using KprobeTrace.Tests.Mutants;
using KprobeTrace.Tools;

Option<string> seed = new("--seed") { Description = "any text; the same text plants the same faults in the same sources", DefaultValueFactory = _ => "0" };
Option<int> count = new Option<int>("--count") { Description = "how many faults", DefaultValueFactory = _ => 25 }.Whole(1, 1_000_000);
Option<string[]> folders = new("--folder") { Description = "only in this folder of src/Core, or of src (repeatable)" };
Option<bool> list = new("--list") { Description = "print what would be planted, build nothing" };
Option<int> budget = new Option<int>("--budget") { Description = "seconds for all of it: nothing is found out beforehand, each fault gets its share of what the build leaves" }.Whole(0, 1_000_000);
Option<int> jobs = new Option<int>("--jobs") { Description = "how many test processes run at a time", DefaultValueFactory = _ => Environment.ProcessorCount }.Whole(1, 1_000_000);
Option<string?> rerun = new("--rerun") { Description = "instead of a sample, the faults that an earlier output lists as survivors" };
Option<string?> argued = new("--argued") { Description = "faults that change nothing, with the reason: file, before, after, reason between tabs" };
Option<bool> verbose = new("--verbose", "-v") { Description = "also print what noticed each fault, and how long each class of tests takes" };
Option<string> root = new("--root") { Description = "the repository", DefaultValueFactory = _ => Directory.GetCurrentDirectory() };
RootCommand command = new("Plants plausible faults in src, runs the tests that can see each, and prints those that no test noticed.")
{
    seed, count, folders, list, budget, jobs, rerun, argued, verbose, root,
};
command.SetAction(result =>
{
    string repository = Path.GetFullPath(result.GetValue(root)!);
    string harmless = result.GetValue(argued) ?? Path.Combine(repository, "tests/Mutants/equivalents.tsv");
    foreach (string? file in (string?[])[result.GetValue(rerun), harmless])
    {
        if (file is not null && !File.Exists(file))
        {
            Console.Error.WriteLine($"mutants: '{file}' is no file");
            return 1;
        }
    }

    return new Measure(new Settings(
        repository,
        result.GetValue(seed)!,
        result.GetValue(count),
        result.GetValue(folders) ?? [],
        result.GetValue(list),
        TimeSpan.FromSeconds(result.GetValue(budget)),
        result.GetValue(jobs),
        result.GetValue(rerun),
        harmless,
        result.GetValue(verbose))).Run();
});
return command.Parse(args).Invoke();
