using KprobeTrace.Record;

namespace KprobeTrace.Tests.Record;

/// <summary>A command line of kprobe-record in this process, and what it said.</summary>
internal sealed record RecordRun(int Status, string Output, string Error)
{
    /// <summary>A console that nobody reads.</summary>
    public static RecordConsole Nowhere { get; } = new(Stream.Null, TextWriter.Null);

    /// <summary>Runs a command line.</summary>
    public static RecordRun Of(params string[] line)
    {
        using MemoryStream output = new();
        using StringWriter error = new();
        int status = RecordTool.Run(line, new RecordConsole(output, error));
        return new RecordRun(status, System.Text.Encoding.UTF8.GetString(output.ToArray()), error.ToString());
    }
}
