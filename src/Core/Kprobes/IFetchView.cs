namespace KprobeTrace.Kprobes;

/// <summary>The fetch view: a set of addresses at which instruction fetch in kernel mode sees a breakpoint.</summary>
/// <remarks>Data reads and writes of the guest never see it. Addresses in the image also match before paging maps them.</remarks>
internal interface IFetchView
{
    /// <summary>Is told of the guest's writes to watched pages: link or linear address, and length.</summary>
    public event Action<ulong, int>? TextWritten;

    /// <summary>Puts a breakpoint before the instruction that begins at an address.</summary>
    /// <param name="address">Linear (link) address.</param>
    /// <param name="slot">The number the CPU hands back at a hit; not negative.</param>
    public void Arm(ulong address, int slot);

    /// <summary>Takes the breakpoint at an address away.</summary>
    public void Disarm(ulong address);

    /// <summary>Begins, or ends, telling of writes to the pages of a stretch of text; each beginning has its end.</summary>
    /// <param name="start">Linear (link) address.</param>
    /// <param name="behind">The address behind the stretch.</param>
    /// <param name="watched">Whether it begins.</param>
    public void Watch(ulong start, ulong behind, bool watched);

    /// <summary>Makes every CPU drop decoded code over the addresses changed since the last call.</summary>
    public void Synchronize();
}
