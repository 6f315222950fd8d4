namespace KprobeTrace.Fuzz.Engine;

/// <summary>How an input failed.</summary>
/// <param name="Kind"><c>exception</c>, <c>invariant</c>, <c>memory</c>, <c>hang</c> or <c>crash</c>.</param>
/// <param name="Signature">What failures of one cause have in common.</param>
/// <param name="Detail">For the reader.</param>
internal sealed record Outcome(string Kind, string Signature, string Detail)
{
    /// <summary>Runs an input in this process; null when it passes.</summary>
    public static Outcome? Of(IFuzzTarget target, byte[] input)
    {
        try
        {
            target.Run(input);
            return null;
        }
        catch (KprobeTraceException e)
        {
            return string.IsNullOrWhiteSpace(e.Message) || e.Message.Contains("   at ", StringComparison.Ordinal)
                ? new Outcome("invariant", "an error without a sentence", e.ToString())
                : null;
        }
        catch (InvariantException e)
        {
            return new Outcome("invariant", new string([.. e.Message.Where(c => !char.IsAsciiDigit(c))]), e.Message);
        }
        catch (Exception e)
        {
            return new Outcome("exception", $"{e.GetType().Name} {Place(e)}", e.ToString());
        }
    }

    private static string Place(Exception e)
    {
        foreach (string line in (e.StackTrace ?? "").Split('\n'))
        {
            int at = line.IndexOf("KprobeTrace.", StringComparison.Ordinal);
            if (at >= 0 && !line.Contains("KprobeTrace.Fuzz.", StringComparison.Ordinal))
            {
                int end = line.IndexOf('(', at);
                return line[at..(end < 0 ? line.Length : end)].Trim();
            }
        }

        return "";
    }
}
