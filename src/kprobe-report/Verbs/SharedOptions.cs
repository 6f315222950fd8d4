using System.CommandLine;
using System.Globalization;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Tools;

namespace KprobeTrace.Report.Verbs;

/// <summary>Arguments and options that several verbs share.</summary>
internal static class SharedOptions
{
    internal static Argument<string> Source(string name = "SRC")
    {
        Argument<string> source = new(name)
        {
            Description = "A trace (imported into TRACE.db unless that is up to date) or a history database.",
        };
        RefuseOptions(source);
        return source;
    }

    internal static Option<string?> Database() => new("--db")
    {
        Description = "Import the trace into FILE instead of TRACE.db.",
        HelpName = "FILE",
    };

    internal static Option<long> Run() => new Option<long>("--run")
    {
        Description = "The run of a database that holds several (all).",
        HelpName = "N",
    }.Whole(1);

    internal static Option<string> Format(string first, params string[] others)
    {
        string[] all = [first, .. others];
        Option<string> option = new("--format", "-f")
        {
            Description = $"{string.Join(", ", all)} ({first}).",
            HelpName = "FORMAT",
            DefaultValueFactory = _ => first,
        };
        option.AcceptOnlyFromAmong(all);
        return option;
    }

    /// <summary>Makes an argument refuse what looks like a misspelt option.</summary>
    internal static void RefuseOptions(Argument argument) => argument.Validators.Add(static result =>
    {
        foreach (System.CommandLine.Parsing.Token token in result.Tokens)
        {
            if (token.Value.StartsWith('-') && token.Value.Length > 1)
            {
                result.AddError($"Unrecognized option '{token.Value}'.");
            }
        }
    });

    /// <summary>A repeatable text option.</summary>
    internal static Option<string[]> Many(string name, string help, string description) => new(name)
    {
        Description = description,
        HelpName = help,
        DefaultValueFactory = static _ => [],
    };

    /// <summary>A point of virtual time: a number with ns, us, ms or s (the default) behind it.</summary>
    internal static Option<long?> Time(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "TIME",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            (string number, decimal unit) = text switch
            {
                _ when text.EndsWith("ns", StringComparison.Ordinal) => (text[..^2], 1m),
                _ when text.EndsWith("us", StringComparison.Ordinal) => (text[..^2], 1_000m),
                _ when text.EndsWith("ms", StringComparison.Ordinal) => (text[..^2], 1_000_000m),
                _ when text.EndsWith('s') => (text[..^1], 1_000_000_000m),
                _ => (text, 1_000_000_000m),
            };
            if (decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value)
                && value <= long.MaxValue / unit)
            {
                return (long)(value * unit);
            }

            result.AddError($"{name} '{text}' is no time; write seconds as in 1.5, or a number with ns, us, ms or s");
            return null;
        },
    };

    /// <summary>What SQLite may take of memory for a user's SQL.</summary>
    internal static Option<long> Memory() => new("--memory")
    {
        Description = "What the query may take of memory, such as 64M or 2G; one value at most a quarter of it (256M).",
        HelpName = "SIZE",
        DefaultValueFactory = static _ => QueryMemory.Default,
        CustomParser = static result =>
        {
            string text = result.Tokens[0].Value;
            int shift = text.Length == 0 ? 0 : char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, _ => 0 };
            if (!long.TryParse(text[..(shift > 0 ? ^1 : ^0)], NumberStyles.None, CultureInfo.InvariantCulture, out long number)
                || number > long.MaxValue >> shift)
            {
                result.AddError($"--memory '{text}' is no size; write it as 64M or 2G");
                return 0;
            }

            if (number << shift < QueryMemory.Least)
            {
                result.AddError($"--memory {text}: a query takes {QueryMemory.Least >> 20}M at least");
            }

            return number << shift;
        },
    };

    /// <summary>Says that nothing is there that was asked for, which is no error.</summary>
    internal static void SayNothing(ReportConsole console, Utf8Output output, string what)
    {
        output.Flush();
        console.Say(what);
    }

    /// <summary>Opens a source for a user's SQL, which gets no more than <paramref name="memory"/> bytes.</summary>
    internal static TraceHistory OpenForQuery(
        ReportConsole console, string source, string? database, long memory, CancellationToken cancellation)
    {
        TraceHistory history = Open(console, source, database, cancellation);
        if (console.OwnsProcess)
        {
            QueryMemory.Limit(history, memory);
        }

        return history;
    }

    /// <summary>Opens a source, with progress for an import that takes long.</summary>
    internal static TraceHistory Open(
        ReportConsole console, string source, string? database, CancellationToken cancellation)
    {
        using ProgressLine progress = new(console, "importing " + Path.GetFileName(source));
        return TraceHistory.Open(
            source,
            database,
            new ImportOptions { Progress = progress.Report, Cancellation = cancellation },
            console.Say);
    }

    /// <summary>The examples of a verb, as they appear in its help.</summary>
    internal static string Describe(string what, params string[] examples) =>
        what + "\n\nExamples:\n" + string.Join('\n', examples.Select(static e => "  dotnet kprobe-report " + e));
}
