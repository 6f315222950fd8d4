using KprobeTrace.Files;
using KprobeTrace.Tools;

namespace KprobeTrace.Record;

/// <summary>Where results and the guest's console go, where messages go, and whether somebody watches them.</summary>
/// <param name="output">Standard output, or what stands for it.</param>
/// <param name="error">Takes messages.</param>
internal sealed class RecordConsole(Stream output, TextWriter error)
{
    private const string Name = "kprobe-record: ";

    /// <summary>Where results go, whether it can be written or not.</summary>
    public Stream Output => output;

    /// <summary>Where messages go.</summary>
    public TextWriter Error => error;

    /// <summary>Whether messages go to a terminal.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>That of the process.</summary>
    public static RecordConsole OfProcess()
    {
        StandardError.Install();
        return new RecordConsole(new StandardOutput(), Console.Error) { ErrorIsTerminal = !Console.IsErrorRedirected };
    }

    /// <summary>Where results go, which has no buffer; fails where it cannot be written, so that no work is done for nothing.</summary>
    public Stream OpenOutput()
    {
        (output as StandardOutput)?.RequireOpen();
        return output;
    }

    /// <summary>A buffered writer of results; fails as <see cref="OpenOutput"/> does.</summary>
    public StreamWriter Results() => new(OpenOutput(), bufferSize: 1 << 16);

    /// <summary>Prints one line of messages.</summary>
    public void Say(string message) => error.WriteLine(Name + OneLine.OfMessage(message));
}
