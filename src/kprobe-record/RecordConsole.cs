using KprobeTrace.Tools;

namespace KprobeTrace.Record;

/// <summary>The console of kprobe-record: the guest's serial port, or results, and messages.</summary>
/// <param name="output">Standard output, or what stands for it.</param>
/// <param name="error">Takes messages.</param>
internal sealed class RecordConsole(Stream output, TextWriter error) : ToolConsole("kprobe-record", output, error)
{
    /// <summary>That of the process.</summary>
    public static RecordConsole OfProcess()
    {
        StandardError.Install();
        return new RecordConsole(new StandardOutput(), Console.Error) { ErrorIsTerminal = !Console.IsErrorRedirected };
    }

    /// <summary>Where results go, which has no buffer; fails where it cannot be written, so that no work is done for nothing.</summary>
    public Stream OpenOutput()
    {
        (Output as StandardOutput)?.RequireOpen();
        return Output;
    }

    /// <summary>A buffered writer of results; fails as <see cref="OpenOutput"/> does.</summary>
    public StreamWriter Results() => new(OpenOutput(), bufferSize: 1 << 16);
}
