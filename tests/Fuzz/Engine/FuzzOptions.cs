using System.Globalization;

namespace KprobeTrace.Fuzz.Engine;

/// <summary>What a run of the fuzzer does.</summary>
internal sealed record FuzzOptions
{
    /// <summary>The targets.</summary>
    public required IReadOnlyList<string> Targets { get; init; }

    /// <summary>Decides every input together with its index.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Index of the first input.</summary>
    public long From { get; init; }

    /// <summary>Inputs of each target.</summary>
    public long Count { get; init; } = long.MaxValue / 2;

    /// <summary>Time for all targets together on one core.</summary>
    public double Seconds { get; init; } = 60;

    /// <summary>Processes at a time.</summary>
    public int Jobs { get; init; } = 1;

    /// <summary>Reads <c>TARGET|all [--seed S] [--from I] [--count N] [--seconds N] [--jobs N]</c>.</summary>
    public static FuzzOptions Parse(string[] args)
    {
        FuzzOptions options = new() { Targets = args[0] == "all" ? [.. FuzzTargets.Names] : [FuzzTargets.Create(args[0]).Name] };
        bool timed = false;
        for (int i = 1; i < args.Length; i += 2)
        {
            if (i + 1 == args.Length || !double.TryParse(args[i + 1], CultureInfo.InvariantCulture, out double number) || number < 0)
            {
                throw new KprobeTraceException($"{args[i]} needs a number");
            }

            timed |= args[i] == "--seconds";
            options = args[i] switch
            {
                "--seed" => options with { Seed = (ulong)number },
                "--from" => options with { From = (long)number },
                "--count" => options with { Count = (long)number, Seconds = timed ? options.Seconds : 1e8 },
                "--seconds" => options with { Seconds = number },
                "--jobs" => options with { Jobs = Math.Max(1, (int)number) },
                _ => throw new KprobeTraceException($"unknown option {args[i]}; there are --seed --from --count --seconds --jobs"),
            };
        }

        return options;
    }
}
