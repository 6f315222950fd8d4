namespace KprobeTrace.Guest;

/// <summary>Kernel memory of the guest, read as the kernel itself maps it, without any effect on the guest.</summary>
internal unsafe interface IGuestMemory
{
    /// <summary>Reads bytes at a kernel virtual address; all of them or none.</summary>
    public bool TryRead(ulong virtualAddress, Span<byte> into);

    /// <summary>
    /// A host pointer to the byte at a kernel virtual address, null when nothing is mapped there; it is good up to the
    /// end of the guest's 4 KiB page, for as long as the kernel maps the page to the same memory.
    /// </summary>
    public byte* TryGetPointer(ulong virtualAddress);
}
