using System.Buffers.Binary;

namespace KprobeTrace.Loaders;

/// <summary>Builds the zero page, Linux's <c>struct boot_params</c>.</summary>
/// <remarks>
/// Fields written (offset, width): 0x070 ACPI RSDP address (8), 0x0C0 and 0x0C4 high halves of initrd address and
/// size (4), 0x0C8 high half of the command line's address (4), 0x1E8 number of memory map entries (1), 0x1F1 the
/// setup header, 0x210 boot loader type (1), 0x211 load flags (1), 0x218 initrd address (4), 0x21C initrd size (4),
/// 0x228 command line address (4), 0x2D0 memory map, 20 bytes an entry. Source: the Linux/x86 boot protocol and
/// zero-page documents.
/// </remarks>
internal sealed class BootParameters
{
    /// <summary>Size of the zero page in bytes.</summary>
    public const int Size = 4096;

    private const int SetupHeader = 0x1F1;
    private const int HeaderMagic = 0x202;
    private const int MapEntries = 0x1E8;
    private const int MapTable = 0x2D0;
    private const int MapEntrySize = 20;
    private const int MapCapacity = 128;
    private const byte LoaderUndefined = 0xFF;
    private const byte LoadedHigh = 0x01;
    private const byte AddressSpaceRandomised = 0x02;
    private const byte KeepSegments = 0x40;
    private const byte CanUseHeap = 0x80;

    private readonly byte[] _page = new byte[Size];

    /// <summary>Starts a zero page for a kernel that comes without a setup header.</summary>
    public BootParameters()
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_page.AsSpan(0x1FE), 0xAA55);
        "HdrS"u8.CopyTo(_page.AsSpan(HeaderMagic));
        BinaryPrimitives.WriteUInt16LittleEndian(_page.AsSpan(0x206), 0x020F);
        BinaryPrimitives.WriteUInt32LittleEndian(_page.AsSpan(0x22C), 0x7FFF_FFFF);
        BinaryPrimitives.WriteUInt32LittleEndian(_page.AsSpan(0x230), 0x20_0000);
        BinaryPrimitives.WriteUInt32LittleEndian(_page.AsSpan(0x238), BootLayout.CommandLineCapacity - 1);
        SetLoader();
    }

    /// <summary>Starts a zero page with the setup header of a bzImage.</summary>
    /// <param name="header">The bytes from offset 0x1F1 to the header's end.</param>
    public BootParameters(ReadOnlySpan<byte> header)
    {
        header[..Math.Min(header.Length, MapTable - SetupHeader)].CopyTo(_page.AsSpan(SetupHeader));
        SetLoader();
    }

    /// <summary>Gets the page.</summary>
    public ReadOnlyMemory<byte> Bytes => _page;

    /// <summary>Names the command line's physical address.</summary>
    public void SetCommandLine(ulong address) => SetSplit(0x228, 0xC8, address);

    /// <summary>Names the initial RAM disk's physical address and length in bytes.</summary>
    public void SetInitrd(ulong address, ulong length)
    {
        SetSplit(0x218, 0xC0, address);
        SetSplit(0x21C, 0xC4, length);
    }

    /// <summary>Names the physical address of the ACPI RSDP; 0 leaves the kernel to search for it.</summary>
    public void SetAcpiRsdp(ulong address) =>
        BinaryPrimitives.WriteUInt64LittleEndian(_page.AsSpan(0x70), address);

    /// <summary>Writes the physical memory map.</summary>
    /// <exception cref="KprobeTraceException">The map has more entries than the page holds (128).</exception>
    public void SetMemoryMap(IReadOnlyList<E820Entry> map)
    {
        ArgumentNullException.ThrowIfNull(map);
        if (map.Count > MapCapacity)
        {
            throw new KprobeTraceException(
                $"the memory map has {map.Count} entries; the boot protocol's zero page holds {MapCapacity}");
        }

        _page[MapEntries] = (byte)map.Count;
        for (int i = 0; i < map.Count; i++)
        {
            Span<byte> entry = _page.AsSpan(MapTable + (i * MapEntrySize), MapEntrySize);
            BinaryPrimitives.WriteUInt64LittleEndian(entry, map[i].Address);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], map[i].Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[16..], map[i].Type);
        }
    }

    private void SetLoader()
    {
        _page[0x210] = LoaderUndefined;

        // A set randomisation flag would tell the kernel to randomise its memory regions, which no decompressor asked for.
        _page[0x211] = (byte)((_page[0x211] | LoadedHigh) & ~(AddressSpaceRandomised | KeepSegments | CanUseHeap));
    }

    private void SetSplit(int low, int high, ulong value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_page.AsSpan(low), (uint)value);
        BinaryPrimitives.WriteUInt32LittleEndian(_page.AsSpan(high), (uint)(value >> 32));
    }
}
