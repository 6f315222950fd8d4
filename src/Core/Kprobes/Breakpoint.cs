namespace KprobeTrace.Kprobes;

/// <summary>An address that has, or had, a breakpoint in the fetch view. Its slot number is never given to another address.</summary>
internal sealed class Breakpoint
{
    public Breakpoint(ulong address, int slot)
    {
        Address = address;
        Slot = slot;
    }

    /// <summary>The address.</summary>
    public ulong Address { get; }

    /// <summary>The number the CPU hands back at a hit.</summary>
    public int Slot { get; }

    /// <summary>The probes at the address, null when there are none.</summary>
    public KprobeEntry? Entry { get; set; }

    /// <summary>True when return probes wait for this address to be executed.</summary>
    public bool IsReturnSite { get; set; }

    /// <summary>True when the guest's own code there takes over returns of other functions.</summary>
    public bool IsTrampoline { get; set; }

    /// <summary>True while the probes want the breakpoint.</summary>
    public bool IsArmedByProbe { get; set; }

    /// <summary>True while the trace knows it as armed: a probe that is not internal wants it.</summary>
    public bool IsShown { get; set; }

    /// <summary>True while the overlay holds it.</summary>
    public bool IsInOverlay { get; set; }
}
