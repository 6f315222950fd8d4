using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace KprobeTrace.Report;

/// <summary>What <c>--help</c> prints: the call as it is typed, arguments, options, examples.</summary>
internal sealed class VerbHelp : SynchronousCommandLineAction
{
    private const string Tool = "dotnet kprobe-report";
    private const string ExamplesHead = "\n\nExamples:\n";
    private const int WidthElsewhere = 100;
    private const int MaxNameWidth = 28;

    private static readonly List<(string Name, string Text)> _exitStatus =
    [
        ("0", "Done; also where the reader of the results has gone away."),
        ("1", "An error, told in one line; for diff a difference, for check damage."),
        ("2", "The command line is wrong."),
    ];

    private readonly int _width;

    private VerbHelp(int terminalWidth) => _width = terminalWidth > 0 ? terminalWidth : WidthElsewhere;

    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <summary>Takes the place of the library's help for all commands.</summary>
    internal static void Install(RootCommand root, int terminalWidth)
    {
        foreach (HelpOption help in root.Options.OfType<HelpOption>())
        {
            // Spellings of another system, which completion would offer.
            _ = help.Aliases.Remove("/?");
            _ = help.Aliases.Remove("/h");
            _ = help.Aliases.Remove("-?");
            help.Description = "Print this.";
            help.Action = new VerbHelp(terminalWidth);
        }

        foreach (VersionOption version in root.Options.OfType<VersionOption>())
        {
            version.Description = "Print the version.";
        }
    }

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        TextWriter output = parseResult.InvocationConfiguration.Output;
        Command command = parseResult.CommandResult.Command;
        string[] parts = command.Description!.Split(ExamplesHead);
        Wrap(output, parts[0], 0);
        output.Write("\n");
        output.Write($"Usage: {Call(command)}{(command.Options.Count > 0 ? " [OPTIONS]" : "")}\n");
        if (command is RootCommand)
        {
            output.Write($"       {Tool} VERB …\n");
        }

        List<(string, string)> rows = [.. command.Arguments.Select(static a => (a.Name, a.Description!))];
        Section(output, "", rows);
        Section(output, "Verbs", [.. command.Subcommands.Select(static c => (c.Name, FirstSentence(c.Description!)))]);
        IEnumerable<Option> options = command is RootCommand ? command.Options : command.Options.Concat(InheritedHelp(parseResult));
        Section(output, "Options", [.. options.Select(static o => (Spelling(o), o.Description!))]);
        if (parts.Length > 1)
        {
            output.Write($"\nExamples:\n{parts[1]}\n");
        }

        if (command is RootCommand)
        {
            Section(output, "Exit status", _exitStatus);
            output.Write($"\n{Tool} VERB --help tells of a verb; docs/report.md and docs/schema.md of all of them.\n");
        }

        return 0;
    }

    private static IEnumerable<Option> InheritedHelp(ParseResult result) => result.RootCommandResult.Command.Options.OfType<HelpOption>();

    private static string Call(Command command)
    {
        IEnumerable<string> arguments = command.Arguments.Select(static a =>
            a.Arity.MinimumNumberOfValues == 0 ? $"[{a.Name} …]" : a.Arity.MaximumNumberOfValues > 1 ? a.Name + " …" : a.Name);
        string[] words = command is RootCommand ? [Tool, .. arguments] : [Tool, command.Name, .. arguments];
        return string.Join(' ', words);
    }

    private static string Spelling(Option option)
    {
        IEnumerable<string> names = option.Aliases.Append(option.Name);
        return string.Join(", ", names) + (option.HelpName is { } value ? " " + value : "");
    }

    private static string FirstSentence(string description)
    {
        string text = description.Split(ExamplesHead)[0];
        int end = text.IndexOf(". ", StringComparison.Ordinal);
        return end < 0 ? text : text[..(end + 1)];
    }

    private void Section(TextWriter output, string title, List<(string Name, string Text)> rows)
    {
        if (rows.Count == 0)
        {
            return;
        }

        output.Write(title.Length > 0 ? $"\n{title}:\n" : "\n");
        int width = Math.Min(rows.Max(static r => r.Name.Length), MaxNameWidth);
        foreach ((string name, string text) in rows)
        {
            output.Write(name.Length > width ? $"  {name}\n{new string(' ', width + 4)}" : $"  {name.PadRight(width)}  ");
            Wrap(output, text, width + 4);
        }
    }

    /// <summary>Writes words in lines that fit, all but the first one indented.</summary>
    private void Wrap(TextWriter output, string text, int indent)
    {
        int column = indent;
        foreach (string word in text.Split(' '))
        {
            if (column > indent && column + 1 + word.Length > _width)
            {
                output.Write("\n" + new string(' ', indent));
                column = indent;
            }
            else if (column > indent)
            {
                output.Write(' ');
                column++;
            }

            output.Write(word);
            column += word.Length;
        }

        output.Write("\n");
    }
}
