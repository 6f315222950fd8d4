using System.Text;

namespace KprobeTrace.Loaders;

/// <summary>Collects what is written into guest RAM before entry and refuses what overlaps or does not fit.</summary>
internal sealed class BootPlan
{
    private const ulong PageSize = 0x1000;

    private readonly string _image;
    private readonly ulong _memorySize;
    private readonly List<ImageSegment> _segments = [];

    public BootPlan(string image, ulong memorySize)
    {
        _image = image;
        _memorySize = memorySize;
    }

    public IReadOnlyList<ImageSegment> Segments => _segments;

    /// <summary>Adds bytes at an address.</summary>
    public void Add(string purpose, ulong address, ReadOnlyMemory<byte> bytes, ulong length = 0)
    {
        ImageSegment segment = new(purpose, address, bytes, Math.Max(length, (ulong)bytes.Length));
        if (segment.MemoryLength == 0)
        {
            return;
        }

        if (address >= _memorySize || segment.MemoryLength > _memorySize - address)
        {
            throw new KprobeTraceException(
                $"{_image}: the {purpose} takes {segment.MemoryLength} bytes at physical address 0x{address:x}, beyond"
                + $" the {_memorySize} bytes of guest memory; give more with --memory");
        }

        foreach (ImageSegment other in _segments)
        {
            if (segment.PhysicalAddress < other.End && other.PhysicalAddress < segment.End)
            {
                throw new KprobeTraceException(
                    $"{_image}: the {purpose} at 0x{address:x}-0x{segment.End - 1:x} overlaps the {other.Purpose} at"
                    + $" 0x{other.PhysicalAddress:x}-0x{other.End - 1:x}; load it elsewhere");
            }
        }

        _segments.Add(segment);
    }

    /// <summary>Adds a NUL-terminated command line.</summary>
    /// <param name="text">The command line.</param>
    /// <param name="capacity">Longest accepted length in bytes without the NUL.</param>
    public void AddCommandLine(string text, uint capacity)
    {
        if (text.Contains('\0', StringComparison.Ordinal))
        {
            throw new KprobeTraceException("the command line contains a NUL character; leave it out of --append");
        }

        byte[] bytes = Encoding.UTF8.GetBytes(text + '\0');
        uint limit = Math.Min(capacity, BootLayout.CommandLineCapacity - 1);
        if (bytes.Length - 1 > limit)
        {
            throw new KprobeTraceException(
                $"the command line has {bytes.Length - 1} bytes where the kernel takes {limit}; shorten --append");
        }

        Add("command line", BootLayout.CommandLine, bytes);
    }

    /// <summary>Places the initial RAM disk as high as the kernel allows.</summary>
    /// <returns>Its physical address.</returns>
    public ulong AddInitrd(ReadOnlyMemory<byte> initrd, ulong highest, ulong kernelEnd)
    {
        ulong top = Math.Min(_memorySize, highest == ulong.MaxValue ? highest : highest + 1);
        ulong length = (ulong)initrd.Length;
        ulong address = length > top ? 0 : (top - length) & ~(PageSize - 1);
        if (length > top || address < kernelEnd)
        {
            throw new KprobeTraceException(
                $"{_image}: the initrd of {length} bytes does not fit between the kernel, which ends at"
                + $" 0x{kernelEnd:x}, and 0x{top:x}; give more guest memory with --memory");
        }

        Add("initrd", address, initrd);
        return address;
    }
}
