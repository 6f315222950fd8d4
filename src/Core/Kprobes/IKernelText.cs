using KprobeTrace.Guest;
using KprobeTrace.Symbols;

namespace KprobeTrace.Kprobes;

/// <summary>What registration asks of the guest's symbols and tables.</summary>
internal interface IKernelText
{
    /// <summary>Finds a symbol by <c>NAME</c> or <c>MODULE:NAME</c>; the first match counts.</summary>
    public bool TryResolve(string name, out ulong address);

    /// <summary>Finds the symbol that holds an address.</summary>
    public bool TryFindSymbol(ulong address, out Symbol symbol);

    /// <summary>Whether any symbol is known; without one nothing tells where functions begin.</summary>
    public bool HasSymbols => true;

    /// <summary>Says what text an address lies in.</summary>
    public KernelTextKind Classify(ulong address);

    /// <summary>The ranges where kprobes are refused, in the kernel's order, those of modules behind.</summary>
    public IReadOnlyList<GuestRange> Blacklist { get; }

    /// <summary>Tells whether an address is the <c>ud2</c> of a BUG or WARN site.</summary>
    public bool IsBugSite(ulong address);

    /// <summary>Reads text as the image has it, whatever the guest has written there since; false where no image tells.</summary>
    public bool TryReadOriginal(ulong address, Span<byte> into) => false;

    /// <summary>
    /// Tells whether code of the guest at an address takes over the returns of other functions: its own return probes and
    /// its function graph tracer put such an address on the stack in place of the caller's.
    /// </summary>
    public bool IsReturnTrampoline(ulong address) => false;

    /// <summary>Tells whether any byte of a jump-label site is at an address.</summary>
    public bool IsJumpLabel(ulong address);
}
