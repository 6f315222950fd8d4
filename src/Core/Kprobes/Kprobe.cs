namespace KprobeTrace.Kprobes;

/// <summary>A probe on one instruction of the guest's kernel, by the names <c>struct kprobe</c> uses.</summary>
/// <remarks>
/// Before registration a caller sets <see cref="Addr"/> or <see cref="SymbolName"/>, <see cref="Offset"/>, the handlers
/// and <see cref="KprobeStatus.Disabled"/>. Registration fills in the address, so a probe that named a symbol needs
/// <see cref="Addr"/> set to 0 and <see cref="Flags"/> cleared before it can be registered once more.
/// </remarks>
public sealed class Kprobe
{
    private KprobePostHandler? _postHandler;
    private KprobeFaultHandler? _faultHandler;

    /// <summary>The probed address; set by registration when a symbol was named.</summary>
    public ulong Addr { get; set; }

    /// <summary>The symbol, <c>NAME</c> or <c>MODULE:NAME</c>; null when an address is given.</summary>
    public string? SymbolName { get; set; }

    /// <summary>Bytes added to the symbol's or the given address.</summary>
    public uint Offset { get; set; }

    /// <summary>Runs before the instruction; optional.</summary>
    public KprobePreHandler? PreHandler { get; set; }

    /// <summary>Runs after the instruction; optional.</summary>
    public KprobePostHandler? PostHandler
    {
        get => _postHandler;
        set
        {
            _postHandler = value;
            Entry?.Refresh();
        }
    }

    /// <summary>Runs when the instruction faults; optional.</summary>
    public KprobeFaultHandler? FaultHandler
    {
        get => _faultHandler;
        set
        {
            _faultHandler = value;
            Entry?.Refresh();
        }
    }

    /// <summary>Is told of every fault of the instruction and how it ended; optional, and no obstacle to optimisation.</summary>
    public KprobeFaultObserver? FaultObserver { get; set; }

    /// <summary>The flags; of those a caller sets, registration keeps only <see cref="KprobeStatus.Disabled"/>.</summary>
    public KprobeStatus Flags { get; set; }

    /// <summary>Hits whose handlers did not run. Always 0 here: handlers run on the host and cannot nest.</summary>
    public ulong NMissed { get; internal set; }

    /// <summary>Hits for which this probe's turn came, whether or not it has a pre-handler.</summary>
    public ulong Hits { get; internal set; }

    /// <summary>The first byte of the probed instruction, as the guest has it.</summary>
    public byte Opcode => Entry?.Opcode ?? 0;

    /// <summary>The probed instruction's bytes, as the guest has them.</summary>
    public ReadOnlyMemory<byte> CopiedInstruction => Entry?.Instruction;

    /// <summary>Anything the caller wants to find again in a handler.</summary>
    public object? Tag { get; set; }

    /// <summary>True while the probe is in the table.</summary>
    public bool IsRegistered => Entry is not null;

    /// <summary>True while the engine calls the pre-handlers of this address without raising #BP.</summary>
    public bool IsOptimized => Entry is { IsOptimized: true };

    /// <summary>True when the guest rewrote text so that no instruction begins at the address any more.</summary>
    public bool IsOffBoundary => Entry is { IsOffBoundary: true };

    /// <summary>The return probe this is the entry of, null for an ordinary probe.</summary>
    public Kretprobe? ReturnProbe { get; internal set; }

    /// <summary>True when the probe is disabled or gone: the kernel's predicate.</summary>
    public bool IsDisabled => (Flags & (KprobeStatus.Disabled | KprobeStatus.Gone)) != 0;

    /// <summary>True for the subsystem's own probes, which no list and no trace shows.</summary>
    internal bool IsInternal { get; init; }

    /// <summary>The name under which a saved guest keeps the probe; null for one that is not saved.</summary>
    internal string? SavedAs { get; init; }

    internal KprobeEntry? Entry { get; set; }
}
