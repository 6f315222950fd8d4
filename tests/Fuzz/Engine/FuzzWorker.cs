using System.Diagnostics;
using System.Text.Json;

namespace KprobeTrace.Fuzz.Engine;

/// <summary>The child process that runs inputs of one target, one after another.</summary>
internal static class FuzzWorker
{
    private const string Mark = "\x1EFAILURE ";
    private const int MemoryCheckEvery = 64;

    private static readonly JsonSerializerOptions _options = new() { IncludeFields = true };

    /// <summary>Reads <c>TARGET SEED FROM COUNT SECONDS STATUS-FILE</c> and runs; failures go to standard output, a JSON line each.</summary>
    public static int Run(string[] args)
    {
        IFuzzTarget target = FuzzTargets.Create(args[0]);
        ulong seed = ulong.Parse(args[1], null);
        long from = long.Parse(args[2], null);
        long count = long.Parse(args[3], null);
        TimeSpan time = TimeSpan.FromSeconds(double.Parse(args[4], System.Globalization.CultureInfo.InvariantCulture));
        using StatusPage status = new(args[5]);
        using TextWriter reports = ReportsOnly();
        Watchdog watchdog = new(() => status.Hung = true);
        Stopwatch clock = Stopwatch.StartNew();
        long baseline = 0;
        for (long index = from; index < from + count && clock.Elapsed < time; index++)
        {
            status.Index = index;
            byte[] input = target.Generate(FuzzRandom.Of(seed, index));
            watchdog.Begin();
            Outcome? outcome = Outcome.Of(target, input);
            watchdog.End();
            if (index - from == MemoryCheckEvery)
            {
                baseline = Resident();
            }
            else if ((index - from) % MemoryCheckEvery == 0 && baseline > 0 && Resident() - baseline > FuzzLimits.Resident)
            {
                outcome ??= new Outcome("memory", "resident memory", $"{(Resident() - baseline) >> 20} MiB more than at first, at input {index}");
                baseline = Resident();
            }

            status.Done++;
            if (outcome is not null)
            {
                reports.WriteLine(Format(index, outcome));
                reports.Flush();
            }
        }

        return 0;
    }

    /// <summary>The failure that a line of a worker's output reports; null when it is something that the product printed.</summary>
    public static (long Index, Outcome Outcome)? Parse(string line)
    {
        int at = line.IndexOf(Mark, StringComparison.Ordinal);
        return at < 0 ? null : JsonSerializer.Deserialize<(long, Outcome)>(line[(at + Mark.Length)..], _options);
    }

    /// <summary>The line that <see cref="Parse"/> reads.</summary>
    public static string Format(long index, Outcome outcome) => Mark + JsonSerializer.Serialize((index, outcome), _options);

    /// <summary>Takes standard output for reports; what the product prints goes nowhere.</summary>
    public static TextWriter ReportsOnly()
    {
        StreamWriter reports = new(Console.OpenStandardOutput());
        Console.SetOut(TextWriter.Null);
        Console.SetError(TextWriter.Null);
        return reports;
    }

    private static long Resident()
    {
        long now = Environment.WorkingSet;
        if (now < FuzzLimits.Resident / 2)
        {
            return now;
        }

        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        GC.Collect();
        return Environment.WorkingSet;
    }
}
