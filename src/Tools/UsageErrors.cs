using System.CommandLine;
using System.CommandLine.Parsing;

namespace KprobeTrace.Tools;

/// <summary>What is wrong with a command line, with the option that was meant.</summary>
internal static class UsageErrors
{
    /// <summary>One sentence for each error.</summary>
    public static IEnumerable<string> Of(ParseResult result)
    {
        Command command = result.CommandResult.Command;
        string[] options = [.. command.Options.Where(static o => !o.Hidden).SelectMany(static o => o.Aliases.Append(o.Name))];
        foreach (ParseError error in result.Errors)
        {
            string? option = result.UnmatchedTokens.Concat(result.CommandResult.Tokens.Select(static t => t.Value))
                .FirstOrDefault(t => t.StartsWith('-') && error.Message.Contains($"'{t}'", StringComparison.Ordinal));
            yield return option is null ? Choices(error.Message) : error.Message.TrimEnd('.') + NearestName.Ask(option.Split('=')[0], options);
        }
    }

    /// <summary>The parser puts the values that an argument may have on lines of their own.</summary>
    private static string Choices(string message)
    {
        string[] lines = [.. message.ReplaceLineEndings("\n").Split('\n').Select(static l => l.Trim())];
        if (lines.Length == 1)
        {
            return message;
        }

        string given = message.Split('\'') is [_, string value, ..] ? value : "";
        return $"{lines[0]} {string.Join(", ", lines[1..])}{NearestName.Ask(given, lines[1..].Select(static l => l.Trim('\'')))}";
    }
}
