namespace KprobeTrace.Cpu;

/// <summary>Bytes that only instruction fetch in kernel mode sees: where breakpoints lie over guest code.</summary>
/// <remarks>Asked while code is decoded, never while it runs. After a change the owner calls <see cref="ProcessorGroup.InvalidateCode"/>.</remarks>
internal interface IFetchOverlay
{
    /// <summary>Whether any breakpoint may lie in a page, by its physical and linear address; quick, may be wrong on the safe side.</summary>
    public bool MayContain(ulong physicalPage, ulong linearPage);

    /// <summary>The breakpoint on an instruction that begins here: a handle of 0 or above, or -1.</summary>
    public int Find(ulong physical, ulong linear);
}
