namespace KprobeTrace.Tests.Report.Models;

/// <summary>Plans that are smaller than one that failed.</summary>
internal static class HistoryShrink
{
    /// <summary>Smaller lists of plans: a run less, fewer steps, plainer steps; the boldest first.</summary>
    internal static IEnumerable<HistoryPlan[]> Smaller(HistoryPlan[] plans)
    {
        for (int i = 0; i < plans.Length && plans.Length > 1; i++)
        {
            yield return [.. plans[..i], .. plans[(i + 1)..]];
        }

        for (int i = 0; i < plans.Length; i++)
        {
            foreach (HistoryPlan smaller in Smaller(plans[i]))
            {
                yield return [.. plans[..i], smaller, .. plans[(i + 1)..]];
            }
        }
    }

    private static IEnumerable<HistoryPlan> Smaller(HistoryPlan plan)
    {
        HistoryStep[] steps = [.. plan.Steps];
        for (int length = steps.Length; length >= 1; length /= 2)
        {
            for (int start = 0; start < steps.Length; start += length)
            {
                yield return plan with { Steps = [.. steps[..start], .. steps[Math.Min(steps.Length, start + length)..]] };
            }
        }

        for (int i = 0; i < plan.Edits.Count; i++)
        {
            yield return plan with { Edits = [.. plan.Edits.Where((_, at) => at != i)] };
        }

        HistoryPlan plain = plan with { EventsPerChunk = 16384, Ended = "poweroff" };
        if (plain != plan)
        {
            yield return plain;
        }

        for (int i = 0; i < steps.Length; i++)
        {
            foreach (HistoryStep plainer in Plainer(steps[i]))
            {
                yield return plan with { Steps = [.. steps[..i], plainer, .. steps[(i + 1)..]] };
            }
        }
    }

    private static IEnumerable<HistoryStep> Plainer(HistoryStep step)
    {
        HistoryStep[] all =
        [
            step with { Seed = 0, Parts = HistoryParts.None, Outcome = HistoryOutcome.None, IsFiltered = false },
            step with { Seed = 0 }, step with { Parts = HistoryParts.None }, step with { Outcome = HistoryOutcome.None }, step with { IsFiltered = false },
            step with { Ns = 1 }, step with { Cpu = 0 }, step with { Task = 0 }, step with { Naming = HistoryNaming.Time },
        ];
        return all.Where(s => s != step);
    }
}
