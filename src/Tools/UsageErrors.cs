using System.CommandLine;
using System.CommandLine.Parsing;

namespace KprobeTrace.Tools;

/// <summary>What is wrong with a command line, with the option that was meant.</summary>
internal static class UsageErrors
{
    /// <summary>One sentence for each error, none twice.</summary>
    public static IEnumerable<string> Of(ParseResult result)
    {
        Command command = result.CommandResult.Command;
        string[] options = [.. command.Options.Where(static o => !o.Hidden).SelectMany(static o => o.Aliases.Append(o.Name))];
        return result.Errors.Select(error => Of(error, result, options)).Distinct();
    }

    private static string Of(ParseError error, ParseResult result, string[] options)
    {
        OptionResult? option = error.SymbolResult as OptionResult ?? (error.SymbolResult as ArgumentResult)?.Parent as OptionResult;
        if (option is not null && OfOption(option) is string ofOption)
        {
            return ofOption;
        }

        if (error.SymbolResult is ArgumentResult { Tokens.Count: 0 } argument)
        {
            return $"{argument.Argument.Name} is missing";
        }

        string? unknown = error.SymbolResult is CommandResult ? Named(error, result.UnmatchedTokens) : null;
        if (unknown is not null)
        {
            return unknown.StartsWith('-')
                ? $"there is no option '{Excerpt.Of(unknown)}'{NearestName.Ask(unknown.Split('=')[0], options)}"
                : $"'{Excerpt.Of(unknown)}' is one argument too many";
        }

        string? misspelt = Named(error, result.CommandResult.Tokens.Select(static t => t.Value).Where(static t => t.StartsWith('-')));
        return misspelt is null ? Choices(error.Message) : error.Message.TrimEnd('.') + NearestName.Ask(misspelt.Split('=')[0], options);
    }

    /// <summary>The word that an error quotes; the longest, since what is quoted may hold quotes itself.</summary>
    private static string? Named(ParseError error, IEnumerable<string> words) =>
        words.Where(word => error.Message.Contains($"'{word}'", StringComparison.Ordinal)).MaxBy(static word => word.Length);

    /// <summary>What the parser words in its own way, and in the language of the host: a value that is missing, or too many of them.</summary>
    private static string? OfOption(OptionResult result)
    {
        Option option = result.Option;
        if (result.Tokens.Count == 0)
        {
            string value = option.HelpName ?? "a value";
            return result.IdentifierTokenCount > 0 ? $"{option.Name} wants {value} behind it" : $"{option.Name} {value} is missing";
        }

        if (option.Arity.MinimumNumberOfValues > 1 && result.Tokens.Count % option.Arity.MinimumNumberOfValues != 0)
        {
            return $"{option.Name} wants {option.HelpName ?? "more values"} behind it";
        }

        return result.Tokens.Count > option.Arity.MaximumNumberOfValues
            ? $"{option.Name} is there {result.IdentifierTokenCount} times; give it once"
            : null;
    }

    /// <summary>The parser puts the values that an argument may have on lines of their own.</summary>
    private static string Choices(string message)
    {
        string[] lines = [.. message.Split('\n').Select(static l => l.Trim())];
        if (lines.Length == 1)
        {
            return message;
        }

        string given = message.Split('\'') is [_, string value, ..] ? value : "";
        return $"{lines[0]} {string.Join(", ", lines[1..])}{NearestName.Ask(given, lines[1..].Select(static l => l.Trim('\'')))}";
    }
}
