using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu;

/// <content>Taking the state out and putting one in. RAM is the machine's, and so are breakpoints and listeners.</content>
internal sealed unsafe partial class Processor
{
    /// <summary>146 years of virtual time in nanoseconds: from there on sums of times do not fit.</summary>
    private const long MaxTime = 1L << 62;

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
        _blocks.Clear();
        Derive();
        TellOfWatchedPages();
    }

    /// <summary>Whether numbers that stand for places in arrays do so, and time is one that a guest can live to see.</summary>
    private static bool CanBeIn(CpuState* s) =>
        s->R[CpuState.ZeroRegister / sizeof(ulong)] == 0 && s->Cpl is >= 0 and <= 3 && s->FpuTop is >= 0 and <= 7
        && s->StoppedRepeats.Count is >= 0 and <= StoppedRepeats.Most
        && s->Retired >= 0 && s->IdleTime >= 0 && s->Retired <= MaxTime - s->IdleTime;

    /// <summary>Who watches pages looks at them anew: all of RAM may have changed.</summary>
    private void TellOfWatchedPages()
    {
        for (ulong page = 0; CodeWritten != null && page < _memory.Size / PhysicalMemory.PageSize; page++)
        {
            if (_memory.CodePages[page] != 0)
            {
                CodeWritten(page * PhysicalMemory.PageSize, PhysicalMemory.PageSize);
            }
        }
    }

    /// <summary>Computes anew all that follows from the state, and forgets what is cached of it.</summary>
    private void Derive()
    {
        _nextHandlerLook = 0;
        FlushTranslations();
        UpdateBreakpoints();
        UpdateMode();
    }
}
