using KprobeTrace.Record;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>A command line of kprobe-record in this process, and what it said.</summary>
internal sealed record RecordRun(int Exit, string Output, string Error)
{
    private static readonly string[] _takeFiles = ["-o", "--console", "--symbols", "--probe-file", "--initrd", "--from"];

    /// <summary>A console that nobody reads.</summary>
    public static RecordConsole Nowhere { get; } = new(Stream.Null, TextWriter.Null);

    /// <summary>Messages line by line.</summary>
    public string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The guest's console with plain line ends.</summary>
    public string Console => Output.Replace("\r", "", StringComparison.Ordinal);

    /// <summary>Runs a command line.</summary>
    public static RecordRun Of(params string[] line)
    {
        using MemoryStream output = new();
        using StringWriter error = new();
        int exit = RecordTool.Run(line, new RecordConsole(output, error));
        return new RecordRun(exit, System.Text.Encoding.UTF8.GetString(output.ToArray()), error.ToString());
    }

    /// <summary>Runs a command line whose image (null for the demo) and other files lie in a folder, as if that were the process's own: no message names it.</summary>
    public static RecordRun In(string folder, string? image, params string[] line)
    {
        string[] words = [.. line.Select((word, i) => i > 0 && _takeFiles.Contains(line[i - 1]) && word != "none" ? Path.Combine(folder, word) : word)];
        RecordRun run = Of([.. image is null ? (string[])[] : [Path.Combine(folder, image)], .. words, .. line.Contains("-o") ? (string[])[] : ["-o", Path.Combine(folder, "trace.mpk")]]);
        return run with { Output = run.Output.Replace(folder + "/", "", StringComparison.Ordinal), Error = run.Error.Replace(folder + "/", "", StringComparison.Ordinal) };
    }

    /// <summary>Itself, when it went well.</summary>
    public RecordRun Good()
    {
        Assert.True(Exit == 0, $"exit status {Exit}: {Error}");
        return this;
    }
}
