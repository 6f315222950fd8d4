namespace KprobeTrace.Tests.Record.Documents;

/// <summary>A page of the documentation, or a source file with a command in its head, and the commands in its blocks.</summary>
/// <remarks>
/// A block is indented by four blanks or fenced. A line behind <c>$ </c> is a command, up to a line that does not end with a backslash,
/// and what follows is its output; a block without a prompt holds commands alone if its first word is a program.
/// </remarks>
internal sealed class Page
{
    private const string Prompt = "$ ";
    private static readonly string[] _programs = ["dotnet", "qemu-system-x86_64", "sqlite3", "python3"];

    private readonly string[] _lines;
    private readonly string _margin;

    public Page(string name)
    {
        Name = name;
        _lines = File.ReadAllLines(Repository.PathOf(name));
        _margin = name.EndsWith(".cs", StringComparison.Ordinal) ? "// " : "";
        Commands = [.. Blocks().SelectMany(Read)];
    }

    /// <summary>Its path in the repository.</summary>
    public string Name { get; }

    /// <summary>Its commands in their order.</summary>
    public IReadOnlyList<PageCommand> Commands { get; }

    /// <summary>Writes the page anew with other outputs.</summary>
    public void Rewrite(IEnumerable<(PageCommand Command, IReadOnlyList<string> Output)> changes)
    {
        List<string> lines = [.. _lines];
        foreach ((PageCommand command, IReadOnlyList<string> output) in changes.OrderByDescending(static c => c.Command.Line))
        {
            lines.RemoveRange(command.OutputLine, command.Output!.Count);
            lines.InsertRange(command.OutputLine, output.Select(line => (command.Indent + line).TrimEnd()));
        }

        File.WriteAllText(Repository.PathOf(Name), string.Join('\n', lines) + "\n");
    }

    private static bool IsProgram(string word) =>
        _programs.Contains(word) || word.StartsWith("./", StringComparison.Ordinal)
        || (word.Contains('/', StringComparison.Ordinal) && word.EndsWith(".sh", StringComparison.Ordinal));

    /// <summary>Blocks as ranges of lines with what stands before each.</summary>
    private IEnumerable<(int Start, int End, string Indent)> Blocks()
    {
        string indent = _margin + "    ";
        for (int i = 0; i < _lines.Length; i++)
        {
            int start = i;
            if (_lines[i].StartsWith("```", StringComparison.Ordinal))
            {
                for (i++; i < _lines.Length && !_lines[i].StartsWith("```", StringComparison.Ordinal); i++)
                {
                }

                yield return (start + 1, i, "");
            }
            else if (_lines[i].StartsWith(indent, StringComparison.Ordinal) && (i == 0 || _lines[i - 1].TrimEnd() == _margin.TrimEnd()))
            {
                while (i < _lines.Length && (_lines[i].StartsWith(indent, StringComparison.Ordinal) || _lines[i].TrimEnd() == _margin.TrimEnd()))
                {
                    i++;
                }

                int end = i;
                while (_lines[end - 1].TrimEnd() == _margin.TrimEnd())
                {
                    end--;
                }

                yield return (start, end, indent);
                i = end - 1;
            }
        }
    }

    private IEnumerable<PageCommand> Read((int Start, int End, string Indent) block)
    {
        string Line(int i) => _lines[i].Length > block.Indent.Length ? _lines[i][block.Indent.Length..] : "";
        bool prompts = Enumerable.Range(block.Start, block.End - block.Start).Any(i => Line(i).StartsWith(Prompt, StringComparison.Ordinal));
        if (!prompts && !IsProgram(Line(block.Start).Split(' ')[0]))
        {
            yield break;
        }

        int start = block.Start;
        while (prompts && !Line(start).StartsWith(Prompt, StringComparison.Ordinal))
        {
            start++; // a listing above the first prompt
        }

        for (int i = start; i < block.End;)
        {
            int first = i;
            string text = Line(i)[(prompts ? Prompt.Length : 0)..];
            while (text.EndsWith('\\'))
            {
                text = text[..^1] + "\n" + Line(++i);
            }

            int output = ++i;
            while (prompts && i < block.End && !Line(i).StartsWith(Prompt, StringComparison.Ordinal))
            {
                i++;
            }

            IEnumerable<string> shown = Enumerable.Range(output, i - output).Select(Line);
            yield return new PageCommand(first, text.Replace("\n", " ", StringComparison.Ordinal), block.Indent, output, i > output ? [.. shown] : null);
        }
    }
}
