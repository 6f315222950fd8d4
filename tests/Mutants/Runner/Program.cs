using System.Diagnostics;
using System.Globalization;
using KprobeTrace.Tests.Mutants.Runner;

// MutantRunner MODE ASSEMBLY GIVEN RESULT
//   list      writes a line a class: its name and the number of its test cases
//   coverage  runs the class that GIVEN names; writes its milliseconds and the number of tests that ran, then a line a test that failed
//   trial     runs the classes of GIVEN in turn, each with the milliseconds it may take, up to the first failure; writes the class and what failed,
//             "endless" for a class that took longer, or "survived". A line '!NAME' is a test whose failure does not count.
using TestAssembly assembly = new(args[1]);
string[] given = File.ReadAllLines(args[2]);
string result = args[3];
switch (args[0])
{
    case "list":
        File.WriteAllLines(result, assembly.Classes().Select(tests => $"{tests.Name}\t{tests.Cases}"));
        break;
    case "coverage":
        long start = Stopwatch.GetTimestamp();
        ClassSink seen = assembly.Run(given[0], new ClassSink(new HashSet<string>()));
        seen.Finished.Wait();
        File.WriteAllLines(result, [$"{Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0}\t{seen.Ran}", .. seen.Failed]);
        break;
    case "trial":
        HashSet<string> expected = [.. given.Where(line => line.StartsWith('!')).Select(line => line[1..])];
        foreach (string[] line in given.Where(line => !line.StartsWith('!')).Select(line => line.Split('\t')))
        {
            File.WriteAllText(result, line[0]);
            ClassSink sink = assembly.Run(line[0], new ClassSink(expected));
            int first = WaitHandle.WaitAny([sink.FirstFailure.WaitHandle, sink.Finished.WaitHandle], int.Parse(line[1], CultureInfo.InvariantCulture));
            if (first == WaitHandle.WaitTimeout || sink.FirstFailure.IsSet)
            {
                End([line[0], first == WaitHandle.WaitTimeout ? "endless" : sink.Failed[0]]);
            }
        }

        End(["survived"]);
        break;
}

return 0;

// Nothing that the tests still run, or registered for the end of the process, may hold it up.
void End(string[] verdict)
{
    File.WriteAllLines(result, verdict);
    Process.GetCurrentProcess().Kill();
}
