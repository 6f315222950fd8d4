using KprobeTrace.Files;

namespace KprobeTrace.Record;

/// <summary>Where the guest's serial output goes.</summary>
/// <param name="Target">What the user named: a file, <c>-</c> for stdout, <c>none</c>, or null for stdout unless that is wanted for something else.</param>
/// <param name="OffByDefault">Whether it goes nowhere unless it was named: stdout is taken by the summary, or silence was asked for.</param>
internal sealed record ConsoleChoice(string? Target, bool OffByDefault)
{
    /// <summary>Opens the sink, which has no buffer of its own; null for nowhere.</summary>
    /// <param name="console">Whose output stdout is.</param>
    public Stream? Open(RecordConsole console)
    {
        if (Target is "none" || (Target is null && OffByDefault))
        {
            return null;
        }

        if (Target is null or "-" or "/dev/stdout")
        {
            return console.OpenOutput();
        }

        FileName.Require(Target, "console's file");
        if (Directory.Exists(Target))
        {
            throw new KprobeTraceException($"--console {Target}: is a directory; name a file");
        }

        try
        {
            FileStream file = new(Target, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, bufferSize: 0);
            if (OutputFile.IsOrdinary(Target))
            {
                if (!OutputFile.TryMark(file))
                {
                    file.Dispose();
                    throw new KprobeTraceException($"--console {Target}: another kprobe-record is writing it; name another file");
                }

                file.SetLength(0);
            }

            return file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KprobeTraceException($"--console {Target}: {FileErrors.Reason(e)}; name another file", e);
        }
    }
}
