using KprobeTrace.Queries;
using KprobeTrace.Tools;

namespace KprobeTrace.Report;

/// <summary>The console of kprobe-report: results, messages, what the terminal can do, and what is typed.</summary>
/// <param name="output">Standard output, or what stands for it.</param>
/// <param name="error">Takes messages.</param>
/// <param name="input">Opens standard input, or what stands for it.</param>
internal sealed class ReportConsole(Stream output, TextWriter error, Func<TextReader> input) : ToolConsole("kprobe-report", output, error)
{
    /// <summary>Standard input. Asking for it changes the mode of a terminal, so only who reads it asks.</summary>
    internal TextReader Input => input();

    /// <summary>True where the process does nothing but this command line, so that limits of the process are its own.</summary>
    internal bool OwnsProcess { get; init; }

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
