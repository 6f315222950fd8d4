using System.CommandLine;
using System.Globalization;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Tools;

namespace KprobeTrace.Report.Verbs;

/// <summary><c>who</c>: which events held a value in a register.</summary>
internal static class WhoVerb
{
    internal static Command Create(ReportConsole console)
    {
        Argument<string> source = SharedOptions.Source();
        Argument<ulong> value = new("VALUE")
        {
            Description = "The value: hexadecimal with 0x, or decimal.",
            CustomParser = static result =>
            {
                string text = result.Tokens[0].Value;
                bool hex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
                if (hex
                    ? ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong parsed)
                    : ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out parsed))
                {
                    return parsed;
                }

                if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long negative))
                {
                    return unchecked((ulong)negative);
                }

                result.AddError($"VALUE '{text}' is no number of 64 bits");
                return 0;
            },
        };
        Option<string?> database = SharedOptions.Database();
        Option<string[]> registers = SharedOptions.Many("--register", "NAME", "Look only in this register (repeatable; all).");
        Option<long> limit = new Option<long>("--limit", "-n")
        {
            Description = "Stop after N events (100; 0: no limit).",
            HelpName = "N",
            DefaultValueFactory = static _ => 100,
        }.Whole(0);
        Option<long> run = SharedOptions.Run();
        Command command = new("who", SharedOptions.Describe(
            "Which events held a value in any register.",
            "who boot.mpk 0xffff888003042a00",
            "who boot.mpk 0xffff888003042a00 --register di --limit 0"))
        {
            source, value, database, registers, limit, run,
        };
        command.SetAction((result, cancellation) =>
        {
            using TraceHistory history = SharedOptions.Open(
                console, result.GetRequiredValue(source), result.GetValue(database), cancellation);
            using Utf8Output output = console.Results();
            EventLines lines = new(history) { Nanoseconds = true };
            long most = result.GetValue(limit);
            long shown = 0;
            long found = RegisterSearch.Find(
                history,
                result.GetValue(value),
                result.GetRequiredValue(registers),
                result.GetValue(run),
                (number, seq, names) =>
                {
                    if (most > 0 && shown == most)
                    {
                        return false;
                    }

                    shown++;
                    output.Write(string.Create(CultureInfo.InvariantCulture, $"{seq,10} {names,-8} "));
                    lines.WriteOne(number, seq, output);
                    return true;
                },
                cancellation);
            if (found > shown)
            {
                output.Flush();
                console.Say($"stopped after {shown} events; --limit 0 finds all");
            }
            else if (found == 0)
            {
                SharedOptions.SayNothing(console, output, "no event held that value in a register");
            }

            return Task.FromResult((int)ExitCode.Success);
        });
        return command;
    }
}
