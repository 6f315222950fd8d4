using System.Buffers.Binary;

namespace KprobeTrace.Loaders;

/// <summary>Builds the 4-level page tables an image is entered with in 64-bit mode (Intel SDM vol. 3A §4.5).</summary>
internal sealed class BootPageTables
{
    private const ulong PresentWritable = 0x3;
    private const ulong LargePage = 0x80;
    private const ulong AddressMask = 0x000F_FFFF_FFFF_F000;
    private const ulong SmallPageSize = 0x1000;
    private const ulong LargePageSize = 0x20_0000;
    private const int TableSize = 0x1000;

    private readonly string _image;
    private readonly byte[] _tables = new byte[BootLayout.PageTablesEnd - BootLayout.PageTables];
    private int _used = TableSize;

    public BootPageTables(string image)
    {
        _image = image;
        for (ulong address = 0; address < BootLayout.IdentityMapped; address += LargePageSize)
        {
            MapLarge(address, address);
        }
    }

    public ReadOnlyMemory<byte> Bytes => _tables.AsMemory(0, _used);

    /// <summary>Maps a range of virtual addresses, whole pages around it, to physical memory.</summary>
    public void Map(ulong linear, ulong physical, ulong length)
    {
        if (((linear ^ physical) & (SmallPageSize - 1)) != 0)
        {
            throw new KprobeTraceException(
                $"{_image}: the segment at {linear:x} is loaded at {physical:x}, which differs within a page;"
                + " align the program header to 4096 bytes");
        }

        ulong last = linear + (length - 1);
        if (last < linear || !IsCanonical(linear) || !IsCanonical(last) || (linear >> 47) != (last >> 47))
        {
            throw new KprobeTraceException(
                $"{_image}: the segment at {linear:x} with {length} bytes is no valid range of 48-bit virtual addresses;"
                + " link the image within them");
        }

        bool large = ((linear ^ physical) & (LargePageSize - 1)) == 0;
        ulong step = large ? LargePageSize : SmallPageSize;
        ulong at = linear & ~(step - 1);
        ulong target = physical & ~(step - 1);
        for (ulong pages = ((last - at) / step) + 1; pages > 0; pages--, at += step, target += step)
        {
            if (large)
            {
                MapLarge(at, target);
            }
            else
            {
                MapSmall(at, target);
            }
        }
    }

    private static bool IsCanonical(ulong linear) => (long)(linear << 16) >> 16 == (long)linear;

    private void MapLarge(ulong linear, ulong physical)
    {
        int directory = Next(Next(0, (int)(linear >> 39) & 511, linear), (int)(linear >> 30) & 511, linear);
        SetLeaf(directory, (int)(linear >> 21) & 511, physical | PresentWritable | LargePage, linear);
    }

    private void MapSmall(ulong linear, ulong physical)
    {
        int directory = Next(Next(0, (int)(linear >> 39) & 511, linear), (int)(linear >> 30) & 511, linear);
        int table = Next(directory, (int)(linear >> 21) & 511, linear);
        SetLeaf(table, (int)(linear >> 12) & 511, physical | PresentWritable, linear);
    }

    private Span<byte> Entry(int table, int index) => _tables.AsSpan(table + (index * 8), 8);

    private void SetLeaf(int table, int index, ulong value, ulong linear)
    {
        ulong present = BinaryPrimitives.ReadUInt64LittleEndian(Entry(table, index));
        if (present != 0 && present != value)
        {
            throw Conflict(linear);
        }

        BinaryPrimitives.WriteUInt64LittleEndian(Entry(table, index), value);
    }

    private int Next(int table, int index, ulong linear)
    {
        ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(Entry(table, index));
        if (entry != 0)
        {
            return (entry & LargePage) == 0
                ? (int)((entry & AddressMask) - BootLayout.PageTables)
                : throw Conflict(linear);
        }

        if (_used + TableSize > _tables.Length)
        {
            throw new KprobeTraceException(
                $"{_image}: its segments need more than {_tables.Length / TableSize} page tables; align virtual and"
                + " physical addresses alike to 2 MiB so that large pages can map them");
        }

        int next = _used;
        _used += TableSize;
        ulong address = BootLayout.PageTables + (ulong)next;
        BinaryPrimitives.WriteUInt64LittleEndian(Entry(table, index), address | PresentWritable);
        return next;
    }

    private KprobeTraceException Conflict(ulong linear) => new(
        $"{_image}: its segments map the page at {linear:x} to two places; link it so that they agree");
}
