using KprobeTrace.Files;
using KprobeTrace.Queries;
using KprobeTrace.Tools;

namespace KprobeTrace.Report;

/// <summary>Where results and messages go, and what the terminal can do.</summary>
internal sealed class ReportConsole
{
    private const string Name = "kprobe-report: ";

    private readonly Func<TextReader> _input;

    internal ReportConsole(Stream output, TextWriter error, Func<TextReader> input)
    {
        Output = output;
        Error = error;
        _input = input;
    }

    internal Stream Output { get; }

    internal TextWriter Error { get; }

    /// <summary>Standard input. Asking for it changes the mode of a terminal, so only who reads it asks.</summary>
    internal TextReader Input => _input();

    /// <summary>True where the process does nothing but this command line, so that limits of the process are its own.</summary>
    internal bool OwnsProcess { get; init; }

    /// <summary>True where messages go to a terminal.</summary>
    internal bool ErrorIsTerminal { get; init; }

    /// <summary>Columns of the terminal, 0 where results go elsewhere.</summary>
    internal int Width { get; init; }

    /// <summary>True where results may be coloured.</summary>
    internal bool Colour { get; init; }

    internal static ReportConsole OfProcess()
    {
        StandardError.Install();
        bool terminal = !Console.IsOutputRedirected;
        return new ReportConsole(new StandardOutput(), Console.Error, static () => Console.In)
        {
            OwnsProcess = true,
            ErrorIsTerminal = !Console.IsErrorRedirected,
            Width = terminal ? WidthOfTerminal() : 0,
            Colour = terminal
                && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
                && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb"),
        };
    }

    /// <summary>A buffered writer of results; dispose it to write what is left.</summary>
    internal Utf8Output Results() => new(Output, leaveOpen: true);

    /// <summary>Bold, where colours are wanted.</summary>
    internal string Bold(string text) => Colour ? $"\e[1m{text}\e[0m" : text;

    /// <summary>Red, where colours are wanted.</summary>
    internal string Red(string text) => Colour ? $"\e[31m{text}\e[0m" : text;

    /// <summary>Green, where colours are wanted.</summary>
    internal string Green(string text) => Colour ? $"\e[32m{text}\e[0m" : text;

    /// <summary>Prints one line on stderr.</summary>
    internal void Say(string message) => Error.WriteLine(Name + OneLine.OfMessage(message));

    private static int WidthOfTerminal()
    {
        try
        {
            return Math.Max(40, Console.WindowWidth);
        }
        catch (IOException)
        {
            return 80;
        }
    }
}
