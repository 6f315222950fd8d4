using KprobeTrace;
using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Fuzz.Soak;

const string usage = """
    dotnet run --project tests/Fuzz -c Release -- TARGET|all [--seed S] [--from I] [--count N] [--seconds N] [--jobs N]
    dotnet run --project tests/Fuzz -c Release -- replay FILE|FOLDER...
    dotnet run --project tests/Fuzz -c Release -- list
    """;

try
{
    switch (args)
    {
        case [] or ["--help" or "-h", ..]:
            Console.WriteLine(usage);
            return args.Length == 0 ? 2 : 0;
        case ["list"]:
            foreach (string name in FuzzTargets.Names)
            {
                Console.WriteLine($"{name,-12} {FuzzTargets.Create(name).Summary}");
            }

            return 0;
        case ["soak", ..]:
            return new SoakRun(SoakOptions.Parse(args[1..]), Console.Out).Run() ? 0 : 1;
        case ["replay", ..]:
            return FuzzRun.Replay(args[1..]);
        case ["worker", ..]:
            return FuzzWorker.Run(args[1..]);
        case ["replay-one", string target, string file]:
            return FuzzChild.ReplayOne(target, file);
        case ["minimize", string target, string file, string how]:
            return FuzzRun.Minimize(target, file, how == "in");
        default:
            return new FuzzRun(FuzzOptions.Parse(args)).Run();
    }
}
catch (KprobeTraceException e)
{
    Console.Error.WriteLine("fuzz: " + e.Message);
    return 2;
}
