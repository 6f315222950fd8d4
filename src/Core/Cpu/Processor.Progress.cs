using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu;

/// <content>Notices a guest that keeps the processor busy and retires nothing, which no limit of instructions would end.</content>
internal sealed unsafe partial class Processor
{
    /// <summary>Deliveries of exceptions and interrupts and wake-ups from HLT in a row, with no instruction retired in between, before <see cref="IsStuck"/>.</summary>
    public const int MaxWithoutProgress = 1_000_000;

    /// <summary>Elements that one string instruction repeats with neither an end nor a fault before <see cref="IsStuck"/>: more than guest RAM has bytes.</summary>
    public const long MaxRepeatedElements = 1L << 32;

    /// <summary>Elements after which a long repetition looks whether the host wants to pause.</summary>
    internal const ulong RepeatPauseInterval = 1 << 16;

    private int _deliveries;

    /// <summary>
    /// Set when the guest can be expected to retire nothing ever again; RIP tells where. See <see cref="MaxWithoutProgress"/> and
    /// <see cref="MaxRepeatedElements"/>.
    /// </summary>
    public bool IsStuck => State->Progress.Stuck != 0;

    /// <summary>Whether the run loop may go round once more: each round delivers something, wakes the processor, or executes.</summary>
    private bool MakesProgress()
    {
        ref Progress progress = ref State->Progress;
        long retired = Retired;
        if (retired != progress.LastRetired)
        {
            progress.LastRetired = retired;
            progress.RoundsWithout = 0;
        }
        else
        {
            progress.Stuck |= ++progress.RoundsWithout > MaxWithoutProgress ? 1 : 0;
        }

        return progress.Stuck == 0;
    }

    /// <summary>Whether a repeated instruction must stop between elements: a debug trap waits, the host wants to pause, or it goes on for ever.</summary>
    /// <param name="op">The instruction.</param>
    /// <param name="stretch">Whether another <see cref="RepeatPauseInterval"/> elements have gone by.</param>
    internal bool MustPauseRepeat(Op* op, bool stretch)
    {
        if (stretch)
        {
            CountStretch(Flow.RetiredBefore(State, op));
        }

        if ((State->SystemFlags & Rflags.TF) != 0)
        {
            State->PendingDebug |= DebugSingleStep;
            State->ExitRequest = 1;
        }

        return State->PendingDebug != 0 || StopRequested || IsStuck;
    }

    private void CountStretch(long retired)
    {
        ref Progress progress = ref State->Progress;
        if (retired != progress.RepeatRetired)
        {
            progress.RepeatRetired = retired;
            progress.RepeatedStretches = 0;
        }

        if (++progress.RepeatedStretches > MaxRepeatedElements / (long)RepeatPauseInterval)
        {
            progress.Stuck = 1;
            State->ExitRequest = 1;
        }
    }
}
