namespace KprobeTrace.Loaders;

/// <summary>A kernel image taken apart: what to write into guest RAM, how to enter it, and where it was linked.</summary>
internal sealed class LoadedImage
{
    private readonly LinkRange[] _linkRanges;

    internal LoadedImage(IEnumerable<LinkRange> linkRanges)
    {
        _linkRanges = [.. linkRanges];
        Array.Sort(_linkRanges, static (a, b) => a.LinkAddress.CompareTo(b.LinkAddress));
    }

    /// <summary>Gets the kind of the image file.</summary>
    public required ImageKind Kind { get; init; }

    /// <summary>Gets the file name without its folder.</summary>
    public required string BaseName { get; init; }

    /// <summary>Gets the SHA-256 of the image file in lower-case hexadecimal.</summary>
    public required string Sha256 { get; init; }

    /// <summary>Gets what is written into guest RAM, in this order; no two segments overlap.</summary>
    public required IReadOnlyList<ImageSegment> Segments { get; init; }

    /// <summary>Gets the processor state the image is entered with.</summary>
    public required InitialCpuState Cpu { get; init; }

    /// <summary>Gets the physical address of the first instruction.</summary>
    public required ulong EntryPhysical { get; init; }

    /// <summary>Gets the first instruction's address as the image was linked; the physical one where nothing else is known.</summary>
    public required ulong EntryLink { get; init; }

    /// <summary>Gets the ELF file inside the image (a bzImage's unpacked payload, or the file itself), or null.</summary>
    public ElfFile? Elf { get; init; }

    /// <summary>Gets a value telling whether the image is a Linux kernel.</summary>
    public bool IsLinux { get; init; }

    /// <summary>Gets the Linux release, such as <c>6.1.0-13-amd64</c>; empty when unknown.</summary>
    public string KernelRelease { get; init; } = "";

    /// <summary>Gets the command line the kernel is given.</summary>
    public string CommandLine { get; init; } = "";

    /// <summary>Gets the size of guest RAM in bytes that the image was laid out for.</summary>
    public required ulong MemorySize { get; init; }

    /// <summary>Gets the stretches of the image with their link and physical addresses, by rising link address.</summary>
    public IReadOnlyList<LinkRange> LinkRanges => _linkRanges;

    /// <summary>Finds the physical address where the byte linked at <paramref name="linkAddress"/> is loaded.</summary>
    public bool TryLinkToPhysical(ulong linkAddress, out ulong physicalAddress)
    {
        LinkRange? range = FindByLink(linkAddress);
        physicalAddress = range is null ? 0 : range.PhysicalAddress + (linkAddress - range.LinkAddress);
        return range is not null;
    }

    /// <summary>
    /// The image's own bytes from <paramref name="linkAddress"/> to the end of what the file holds there; empty where it holds none.
    /// </summary>
    public ReadOnlyMemory<byte> BytesAtLink(ulong linkAddress)
    {
        LinkRange? range = FindByLink(linkAddress);
        if (range is null || linkAddress - range.LinkAddress >= (ulong)range.Bytes.Length)
        {
            return default;
        }

        return range.Bytes[(int)(linkAddress - range.LinkAddress)..];
    }

    /// <summary>Fills <paramref name="into"/> with the image's bytes linked at an address, zero-filled parts included.</summary>
    /// <returns>False when any byte lies outside the image.</returns>
    public bool TryReadLink(ulong linkAddress, Span<byte> into)
    {
        LinkRange? range = FindByLink(linkAddress);
        if (range is null || range.Length - (linkAddress - range.LinkAddress) < (ulong)into.Length)
        {
            return false;
        }

        ReadOnlySpan<byte> bytes = BytesAtLink(linkAddress).Span;
        int present = Math.Min(bytes.Length, into.Length);
        bytes[..present].CopyTo(into);
        into[present..].Clear();
        return true;
    }

    private LinkRange? FindByLink(ulong linkAddress)
    {
        int low = 0;
        int high = _linkRanges.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            LinkRange range = _linkRanges[middle];
            if (linkAddress < range.LinkAddress)
            {
                high = middle - 1;
            }
            else if (linkAddress - range.LinkAddress < range.Length)
            {
                return range;
            }
            else
            {
                low = middle + 1;
            }
        }

        return null;
    }
}
