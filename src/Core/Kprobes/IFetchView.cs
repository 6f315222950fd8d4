namespace KprobeTrace.Kprobes;

/// <summary>The fetch view: a set of addresses at which instruction fetch in kernel mode sees a breakpoint.</summary>
/// <remarks>Data reads and writes of the guest never see it. Addresses in the image also match before paging maps them.</remarks>
public interface IFetchView
{
    /// <summary>Is told of the guest's writes to pages with breakpoints: link or linear address, and length.</summary>
    public event Action<ulong, int>? TextWritten;

    /// <summary>Puts a breakpoint before the instruction that begins at an address.</summary>
    /// <param name="address">Linear (link) address.</param>
    /// <param name="slot">The number the CPU hands back at a hit; not negative.</param>
    public void Arm(ulong address, int slot);

    /// <summary>Takes the breakpoint at an address away.</summary>
    public void Disarm(ulong address);

    /// <summary>Makes every CPU drop decoded code over the addresses changed since the last call.</summary>
    public void Synchronize();
}
