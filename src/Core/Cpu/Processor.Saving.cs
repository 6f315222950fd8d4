using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu;

/// <content>Taking the state out and putting one in. RAM is the machine's, and so are breakpoints and listeners.</content>
internal sealed unsafe partial class Processor
{
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
    public void LoadState(ReadOnlySpan<byte> from)
    {
        ThrowIfRunning();
        HostLinks host = State->Host;
        from[..sizeof(CpuState)].CopyTo(new Span<byte>(State, sizeof(CpuState)));
        State->Host = host;
        _blocks.Clear();
        Derive();
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
