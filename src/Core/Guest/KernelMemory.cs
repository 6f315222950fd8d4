using KprobeTrace.Loaders;
using KprobeTrace.Symbols;

namespace KprobeTrace.Guest;

/// <summary>Reads kernel memory through the page tables of the kernel's own address space (<c>init_mm</c>).</summary>
/// <remarks>
/// Neither CR3 nor any TLB is consulted and no accessed bit is set (4-level paging, Intel SDM vol. 3A §4.5). Before the
/// kernel's top table maps anything, addresses within the image are found where the loader put them.
/// </remarks>
internal sealed unsafe class KernelMemory : IGuestMemory
{
    private const ulong Present = 1;
    private const ulong LargePage = 0x80;
    private const ulong AddressMask = 0x000F_FFFF_FFFF_F000;
    private const ulong PageSize = 0x1000;

    private readonly byte* _ram;
    private readonly ulong _size;
    private readonly ulong _top;
    private readonly LoadedImage _image;

    /// <summary>Creates a reader.</summary>
    /// <param name="ram">Host address of guest physical address 0; it must stay valid as long as the reader.</param>
    /// <param name="size">Bytes of guest RAM.</param>
    /// <param name="image">The image the guest runs.</param>
    /// <param name="symbols">Its symbols; without <c>init_top_pgt</c> only the image's own addresses can be read.</param>
    public KernelMemory(byte* ram, ulong size, LoadedImage image, SymbolTable symbols)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(symbols);
        _ram = ram;
        _size = size;
        _image = image;
        ulong? table = symbols.AddressOf("init_top_pgt") ?? symbols.AddressOf("init_level4_pgt");
        _top = table is ulong link && image.TryLinkToPhysical(link, out ulong physical) ? physical : ulong.MaxValue;
    }

    /// <inheritdoc/>
    public bool TryRead(ulong virtualAddress, Span<byte> into)
    {
        while (!into.IsEmpty)
        {
            byte* from = TryGetPointer(virtualAddress);
            if (from is null)
            {
                return false;
            }

            int length = (int)Math.Min((ulong)into.Length, PageSize - (virtualAddress & (PageSize - 1)));

            // SAFETY: TryGetPointer vouches for the rest of the page, which length does not exceed.
            new ReadOnlySpan<byte>(from, length).CopyTo(into);
            into = into[length..];
            virtualAddress += (ulong)length;
        }

        return true;
    }

    /// <inheritdoc/>
    public byte* TryGetPointer(ulong virtualAddress) =>
        TryTranslate(virtualAddress, out ulong physical) && (physical | (PageSize - 1)) < _size ? _ram + physical : null;

    /// <summary>Finds the physical address behind a kernel virtual address.</summary>
    public bool TryTranslate(ulong virtualAddress, out ulong physicalAddress)
    {
        ulong entry = Entry(_top, (int)(virtualAddress >> 39) & 511);
        if ((entry & Present) == 0)
        {
            return _image.TryLinkToPhysical(virtualAddress, out physicalAddress) && (long)virtualAddress < 0;
        }

        physicalAddress = 0;
        for (int shift = 30; ; shift -= 9)
        {
            entry = Entry(entry & AddressMask, (int)(virtualAddress >> shift) & 511);
            if ((entry & Present) == 0)
            {
                return false;
            }

            if (shift == 12 || (entry & LargePage) != 0)
            {
                ulong inPage = (1UL << shift) - 1;
                physicalAddress = (entry & AddressMask & ~inPage) | (virtualAddress & inPage);
                return true;
            }
        }
    }

    private ulong Entry(ulong table, int index)
    {
        ulong at = table + ((ulong)index * 8);

        // SAFETY: the eight bytes lie within RAM; a table beyond it reads as not present.
        return table < _size && _size - table >= PageSize ? *(ulong*)(_ram + at) : 0;
    }
}
