using System.Text;
using KprobeTrace.Files;

namespace KprobeTrace.Recording;

/// <summary>A file with one probe definition a line.</summary>
internal static class ProbeFile
{
    /// <summary>Every function of a kernel with a line of its own takes less.</summary>
    private const int MaxBytes = 64 << 20;

    /// <summary>Reads the definitions; blank lines and comments, from <c>#</c> on, are none.</summary>
    /// <exception cref="KprobeTraceException">The file cannot be read, or is too large to be one.</exception>
    public static List<ProbeLine> Read(string file)
    {
        List<ProbeLine> lines = [];
        using StringReader text = new(ReadText(file));
        int number = 0;
        while (text.ReadLine() is string line)
        {
            number++;
            int comment = line.IndexOf('#', StringComparison.Ordinal);
            string definition = (comment < 0 ? line : line[..comment]).Trim();
            if (definition.Length > 0)
            {
                lines.Add(new ProbeLine(definition, file, number));
            }
        }

        return lines;
    }

    private static string ReadText(string file)
    {
        byte[] bytes = InputFile.ReadAll(file, "file of probe definitions", mayBeEmpty: true, MaxBytes);
        if (FileRecogniser.Recognise(bytes) is { Family: not FileFamily.Text } kind)
        {
            throw kind.Refuse(file, FileRole.Probes);
        }

        using StreamReader reader = new(new MemoryStream(bytes, writable: false), Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
