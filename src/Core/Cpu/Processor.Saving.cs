using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu;

/// <content>Taking the state out and putting one in. RAM is the machine's, and so are breakpoints and listeners.</content>
internal sealed unsafe partial class Processor
{
    /// <summary>A hundred years of virtual time in nanoseconds: not far behind them sums of times do not fit, here or in a device.</summary>
    public const long MaxSavedTime = 100L * 365 * 86_400 * 1_000_000_000;

    /// <summary>Bytes of a processor's state.</summary>
    public static int StateBytes => sizeof(CpuState);

    /// <summary>Writes the state, without anything of this process.</summary>
    /// <remarks>
    /// Translations are forgotten here as well, so that both who goes on here and who goes on from what is written walk the page tables at
    /// the same accesses, and set the same accessed bits in them.
    /// </remarks>
    /// <param name="into">Room for <see cref="StateBytes"/> bytes.</param>
    /// <exception cref="InvalidOperationException">The guest runs.</exception>
    public void SaveState(Span<byte> into)
    {
        ThrowIfRunning();
        FlushTranslations();
        CpuState state = *State;
        state.Host = default;
        ForgetSlices(&state);
        new ReadOnlySpan<byte>(&state, sizeof(CpuState)).CopyTo(into);
    }

    /// <summary>Goes on from a state that <see cref="SaveState"/> wrote, in RAM that is as it was then.</summary>
    /// <param name="from">The <see cref="StateBytes"/> bytes.</param>
    /// <exception cref="InvalidOperationException">The guest runs.</exception>
    /// <exception cref="KprobeTraceException">No processor is ever in this state.</exception>
    public void LoadState(ReadOnlySpan<byte> from)
    {
        ThrowIfRunning();
        CpuState state;
        from[..sizeof(CpuState)].CopyTo(new Span<byte>(&state, sizeof(CpuState)));
        if (!CanBeIn(&state))
        {
            throw new KprobeTraceException("the saved state of the processor holds values that it never has: it is damaged, or another version of KprobeTrace wrote it");
        }

        state.Host = State->Host;
        *State = state;
        _group.Code.Clear();
        Derive();
    }

    /// <summary>Leaves out what tells in how many pieces the host has run the guest, and what is kept of the past and not in use.</summary>
    private static void ForgetSlices(CpuState* s)
    {
        s->Deadline = s->Retired;
        s->Left = 0;
        if (s->Progress.LastRetired != s->Retired)
        {
            s->Progress.LastRetired = s->Retired;
            s->Progress.RoundsWithout = 0;
        }

        for (int i = Math.Max(0, s->StoppedRepeats.Count); i < StoppedRepeats.Most; i++)
        {
            s->StoppedRepeats.At[i] = default;
        }
    }

    /// <summary>Whether numbers that stand for places in arrays do so, no fault is half delivered, and time is one that can be saved.</summary>
    private static bool CanBeIn(CpuState* s) =>
        s->R[CpuState.ZeroRegister / sizeof(ulong)] == 0 && s->Cpl is >= 0 and <= 3 && s->FpuTop is >= 0 and <= 7
        && s->FaultVector == Vector.None && s->FaultIsSoftware == 0 && s->InterruptShadow is >= 0 and <= CpuState.StackSegmentShadow
        && s->StoppedRepeats.Count is >= 0 and <= StoppedRepeats.Most
        && s->Retired >= 0 && s->IdleTime >= 0 && s->Retired <= MaxSavedTime - s->IdleTime;

    /// <summary>Computes anew all that follows from the state, and forgets what is cached of it.</summary>
    private void Derive()
    {
        _nextHandlerLook = 0;
        FlushTranslations();
        UpdateBreakpoints();
        UpdateMode();
    }
}
