namespace KprobeTrace.Record;

/// <summary>Where the guest's serial output goes.</summary>
/// <param name="Target">What the user named: a file, <c>none</c>, or null for stdout.</param>
/// <param name="Json">Whether stdout is taken by the summary.</param>
internal sealed record ConsoleChoice(string? Target, bool Json)
{
    /// <summary>Opens the sink, which has no buffer of its own; null for nowhere.</summary>
    public Stream? Open()
    {
        if (Target is null)
        {
            return Json ? null : Console.OpenStandardOutput();
        }

        if (Target == "none")
        {
            return null;
        }

        try
        {
            return new FileStream(Target, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KprobeTraceException($"--console {Target}: {e.Message}", e);
        }
    }
}
