using System.Text;

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
        try
        {
            using FileStream stream = new(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using MemoryStream bytes = new();
            byte[] part = new byte[1 << 16];
            for (int read; (read = stream.Read(part)) > 0;)
            {
                bytes.Write(part, 0, read);
                if (bytes.Length > MaxBytes)
                {
                    throw new KprobeTraceException($"{file}: it has more than {MaxBytes >> 20} MiB; a probe file has one definition a line");
                }
            }

            bytes.Position = 0;
            using StreamReader reader = new(bytes, Encoding.UTF8);
            return reader.ReadToEnd();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string reason = e is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : e.Message;
            throw new KprobeTraceException($"--probe-file {file}: {reason}", e);
        }
    }
}
