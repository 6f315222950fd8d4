using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Globalization;

namespace KprobeTrace.Report;

/// <summary>What the <c>[suggest]</c> directive answers: the words that a line may go on with, one a line.</summary>
/// <remarks>
/// The library's own answer takes whatever stands behind a flag or a repeatable option for a value of it, so that no second option
/// is ever completed.
/// </remarks>
internal sealed class LineCompletion : SynchronousCommandLineAction
{
    private readonly SuggestDirective _directive;
    private readonly string _line;

    private LineCompletion(SuggestDirective directive, string line) => (_directive, _line) = (directive, line);

    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <summary>Takes the place of the library's completion.</summary>
    /// <param name="root">The tool.</param>
    /// <param name="args">What it was called with: the directive and the line, which a parser would cut up where it begins with an option.</param>
    internal static void Install(RootCommand root, string[] args)
    {
        foreach (SuggestDirective directive in root.Directives.OfType<SuggestDirective>())
        {
            directive.Action = new LineCompletion(directive, args.Length > 1 ? args[^1] : "");
        }
    }

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        string cursor = parseResult.GetResult(_directive)?.Values is [string first, ..] ? first : "";
        bool isInLine = int.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out int at) && at < _line.Length;
        foreach (string word in Complete(parseResult.RootCommandResult.Command, isInLine ? _line[..at] : _line))
        {
            parseResult.InvocationConfiguration.Output.Write(word + "\n");
        }

        return 0;
    }

    /// <summary>Every word that begins as the last one of a line does, which is empty behind a blank; in order of their characters.</summary>
    internal static IEnumerable<string> Complete(Command root, string line)
    {
        string[] words = [.. CommandLineParser.SplitCommandLine(line)];
        bool isBegun = words.Length > 0 && !char.IsWhiteSpace(line[^1]);
        string begun = isBegun ? words[^1] : "";
        return Candidates(root, isBegun ? words[..^1] : words, begun.StartsWith('-'))
            .Where(c => c.StartsWith(begun, StringComparison.Ordinal)).Distinct().Order(StringComparer.Ordinal);
    }

    private static IEnumerable<string> Candidates(Command root, string[] before, bool isOption)
    {
        Command? verb = before.Length == 0 ? null : root.Subcommands.FirstOrDefault(c => c.Name == before[0]);
        Command command = verb ?? root;
        // The help of the root is that of every verb.
        List<Option> options = [.. command.Options.Concat(root.Options.Where(static o => o.Recursive)).Distinct()];
        Option? awaited = null;
        int arguments = 0;
        foreach (string word in verb is null ? before : before[1..])
        {
            Option? given = awaited is null ? options.Find(o => NamesOf(o).Contains(word)) : null;
            arguments += awaited is null && given is null ? 1 : 0;
            awaited = given is { Arity.MaximumNumberOfValues: > 0 } && given.ValueType != typeof(bool) ? given : null;
            _ = given is not null && given.Arity.MaximumNumberOfValues <= 1 && options.Remove(given);
        }

        return awaited is not null ? Labels(awaited.GetCompletions(CompletionContext.Empty))
            : isOption ? options.SelectMany(NamesOf)
            : before.Length == 0 ? root.Subcommands.Select(static c => c.Name)
            : arguments < command.Arguments.Count ? Labels(command.Arguments[arguments].GetCompletions(CompletionContext.Empty))
            : [];
    }

    private static IEnumerable<string> NamesOf(Option option) => option.Aliases.Append(option.Name);

    private static IEnumerable<string> Labels(IEnumerable<CompletionItem> items) => items.Select(static i => i.Label);
}
