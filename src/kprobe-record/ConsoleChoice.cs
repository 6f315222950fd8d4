namespace KprobeTrace.Record;

/// <summary>Where the guest's serial output goes.</summary>
/// <param name="Target">What the user named: a file, <c>none</c>, or null for stdout.</param>
/// <param name="Json">Whether stdout is taken by the summary.</param>
internal sealed record ConsoleChoice(string? Target, bool Json)
{
    /// <summary>Opens the sink; null for nowhere.</summary>
    public Stream? Open()
    {
        if (Target is null)
        {
            return Json ? null : new BufferedStream(Console.OpenStandardOutput(), 4096);
        }

        if (Target == "none")
        {
            return null;
        }

        try
        {
            return new BufferedStream(new FileStream(Target, FileMode.Create, FileAccess.Write, FileShare.Read), 4096);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KprobeTraceException($"--console {Target}: {e.Message}", e);
        }
    }
}
