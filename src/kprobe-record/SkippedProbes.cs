using KprobeTrace.Recording;

namespace KprobeTrace.Record;

/// <summary>Says which definitions --skip-refused has left out.</summary>
internal static class SkippedProbes
{
    /// <summary>Says how many there are and, for each of the kernel's messages, how often and where first; or all of them.</summary>
    public static void Say(RecordConsole console, Recorder recorder, bool all)
    {
        IReadOnlyList<SkippedProbe> skipped = recorder.Skipped;
        if (skipped.Count == 0)
        {
            return;
        }

        console.Say($"warning: {skipped.Count} of {skipped.Count + recorder.Definitions.Count} probe definitions were refused and left out");
        if (all)
        {
            foreach (SkippedProbe probe in skipped)
            {
                console.Say($"  {probe.Place}: {probe.Error.Explain(withHint: false)}");
            }

            return;
        }

        IGrouping<string, SkippedProbe>[] reasons = [.. skipped.GroupBy(s => s.Error.Message).OrderByDescending(g => g.Count())];
        foreach (IGrouping<string, SkippedProbe> reason in reasons)
        {
            SkippedProbe first = reason.First();
            string more = reason.Count() > 1 ? $"{reason.Count()} times, first " : "";
            console.Say($"  {more}{first.Place}: {first.Error.Explain(withHint: true)}");
        }

        if (skipped.Count > reasons.Length)
        {
            console.Say("  (-v lists all)");
        }
    }
}
