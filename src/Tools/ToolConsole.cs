using KprobeTrace.Files;

namespace KprobeTrace.Tools;

/// <summary>Where a tool's results and messages go, and whether somebody watches the messages.</summary>
/// <param name="tool">The tool's name, which begins its messages.</param>
/// <param name="output">Standard output, or what stands for it.</param>
/// <param name="error">Takes messages.</param>
internal abstract class ToolConsole(string tool, Stream output, TextWriter error)
{
    /// <summary>Where results go, whether it can be written or not.</summary>
    public Stream Output => output;

    /// <summary>Where messages go.</summary>
    public TextWriter Error => error;

    /// <summary>Whether messages go to a terminal.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>Prints one line of messages.</summary>
    public void Say(string message) => error.WriteLine($"{tool}: {OneLine.OfMessage(message)}");
}
