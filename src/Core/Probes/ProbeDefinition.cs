using System.Text;

namespace KprobeTrace.Probes;

/// <summary>One probe as a line of the probe-event language defines it.</summary>
internal sealed class ProbeDefinition
{
    internal ProbeDefinition(string[] words)
    {
        Words = words;
        Command = string.Join(' ', words);
    }

    /// <summary>The group an event without one belongs to.</summary>
    public const string DefaultGroup = "kprobes";

    /// <summary>The definition's words, joined by single blanks.</summary>
    public string Command { get; }

    /// <summary>True for a return probe, whether written <c>r</c> or <c>%return</c>.</summary>
    public bool IsReturn { get; internal set; }

    /// <summary>The number after <c>r</c>; 0 when none was given.</summary>
    public int MaxActive { get; internal set; }

    /// <summary>The event's group.</summary>
    public string Group { get; internal set; } = DefaultGroup;

    /// <summary>The event's name, given or made from the place.</summary>
    public string Event { get; internal set; } = string.Empty;

    /// <summary>Where the probe goes.</summary>
    public ProbePlace Place { get; internal set; }

    /// <summary>The fetch arguments in order, at most 128.</summary>
    public IReadOnlyList<ProbeArgument> Arguments { get; internal set; } = [];

    /// <summary>True when the word <c>stack</c> asks for the kernel call stack of every hit.</summary>
    public bool WantsStack { get; internal set; }

    /// <summary>What was accepted but will not happen as written, one line each.</summary>
    public IReadOnlyList<string> Warnings { get; internal set; } = [];

    /// <summary>The column of the place word in <see cref="Command"/>.</summary>
    public int PlaceColumn => Words.Length > 0 ? Words[0].Length + 1 : 0;

    /// <summary>What registration would refuse the definition for: the symbol of an argument, or of a module that is there.</summary>
    internal ProbeError? RegistrationError { get; set; }

    internal string[] Words { get; }

    /// <summary>Builds the program that fetches this definition's arguments at a hit.</summary>
    public FetchProgram CompileArguments() => new(Arguments);

    /// <summary>Looks up the data symbols of the arguments (<c>@SYM</c>) anew, for programs that are compiled from then on.</summary>
    /// <remarks>The kernel does so at every registration: the symbols of a module are known only while it is loaded.</remarks>
    /// <returns>The first symbol that is unknown; null when all are known.</returns>
    public string? ResolveData(IProbeTarget target)
    {
        ArgumentNullException.ThrowIfNull(target);
        foreach (ProbeArgument argument in Arguments)
        {
            // Where a symbol is read, fetching begins.
            ref FetchInstruction first = ref argument.Steps[0];
            if (first.Symbol is not DataSymbol symbol)
            {
                continue;
            }

            if (!target.TryResolve(symbol.Name, out ulong address))
            {
                return symbol.Name;
            }

            first = first with { Parameter = (long)address + symbol.Offset };
        }

        return null;
    }

    /// <summary>Shows the definition as <c>kprobe_events</c> reads back: names filled in, the offset in decimal.</summary>
    /// <param name="maxActive">The count in force after registration; 0 leaves it out.</param>
    public string ReadBack(int maxActive = 0)
    {
        StringBuilder text = new();
        text.Append(IsReturn ? 'r' : 'p');
        int shown = maxActive != 0 ? maxActive : MaxActive;
        if (IsReturn && shown != 0)
        {
            text.Append(ProbeNumber.Decimal((ulong)shown));
        }

        text.Append(':').Append(Group).Append('/').Append(Event).Append(' ').Append(Place.ToString());
        foreach (ProbeArgument argument in Arguments)
        {
            text.Append(' ').Append(argument.Name).Append('=').Append(argument.Text);
        }

        if (WantsStack)
        {
            text.Append(' ').Append(ProbeDefinitionParser.StackWord);
        }

        return text.ToString();
    }

    /// <summary>The definition as it reads back.</summary>
    public override string ToString() => ReadBack();

    /// <summary>Parses one definition against an image.</summary>
    /// <exception cref="ProbeSyntaxException">The definition is refused; the message carries the caret.</exception>
    public static ProbeDefinition Parse(string line, IProbeTarget? target = null)
    {
        if (!ProbeDefinitionParser.TryParse(line, target, out ProbeDefinition? definition, out ProbeError? error))
        {
            throw new ProbeSyntaxException(error);
        }

        return definition;
    }
}
