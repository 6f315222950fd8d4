using System.Buffers.Binary;
using System.Text;

namespace KprobeTrace.Loaders;

/// <summary>The headers of a 64-bit little-endian ELF file for x86-64 (System V ABI, ELF-64 object file format).</summary>
/// <remarks>Nothing the file says is trusted: every offset and size is checked against the file's length.</remarks>
internal sealed class ElfFile
{
    private const int HeaderSize = 64;
    private const int ProgramHeaderSize = 56;
    private const int SectionHeaderSize = 64;
    private const ushort MachineX86_64 = 62;
    private const uint TypeLoad = 1;
    private const uint SectionNoBits = 8;
    private const int MaxSectionName = 256;

    private readonly string _name;

    private ElfFile(string name, ReadOnlyMemory<byte> bytes)
    {
        _name = name;
        Bytes = bytes;
        ReadOnlySpan<byte> span = bytes.Span;
        if (span.Length < HeaderSize)
        {
            throw Broken($"it ends after {span.Length} bytes, within the ELF header");
        }

        if (span[4] != 2 || span[5] != 1)
        {
            throw Broken("it is not a 64-bit little-endian ELF file; give an x86-64 kernel");
        }

        ushort machine = BinaryPrimitives.ReadUInt16LittleEndian(span[18..]);
        if (machine != MachineX86_64)
        {
            throw Broken($"it is for machine type {machine}, not x86-64 (62); give an x86-64 kernel");
        }

        Type = BinaryPrimitives.ReadUInt16LittleEndian(span[16..]);
        Entry = BinaryPrimitives.ReadUInt64LittleEndian(span[24..]);
        Segments = ReadSegments(span);
        Sections = ReadSections(span);
    }

    /// <summary>Gets the whole file.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>Gets the file type: 1 relocatable, 2 executable, 3 shared or position-independent.</summary>
    public ushort Type { get; }

    /// <summary>Gets the entry address as the header states it; Linux states a physical address.</summary>
    public ulong Entry { get; }

    /// <summary>Gets the loadable segments that occupy memory, in file order.</summary>
    public IReadOnlyList<ElfProgramHeader> Segments { get; }

    /// <summary>Gets the section headers; empty when the file has none or they are damaged.</summary>
    public IReadOnlyList<ElfSection> Sections { get; }

    /// <summary>Tells whether bytes begin like an ELF file.</summary>
    public static bool HasMagic(ReadOnlySpan<byte> bytes) => bytes.StartsWith("\u007fELF"u8);

    /// <summary>Reads the headers of an ELF file.</summary>
    /// <param name="name">Name of the file, for messages.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="KprobeTraceException">The file is truncated, damaged or for another machine.</exception>
    public static ElfFile Parse(string name, ReadOnlyMemory<byte> bytes)
    {
        if (!HasMagic(bytes.Span))
        {
            throw new KprobeTraceException($"{name}: it is no ELF file (it does not begin with 7f 45 4c 46)");
        }

        return new ElfFile(name, bytes);
    }

    /// <summary>Finds a section by name; null when there is none.</summary>
    public ElfSection? FindSection(string name)
    {
        foreach (ElfSection section in Sections)
        {
            if (section.Name == name)
            {
                return section;
            }
        }

        return null;
    }

    /// <summary>The bytes of a section; empty when it has none in the file.</summary>
    public ReadOnlyMemory<byte> BytesOf(ElfSection section)
    {
        ArgumentNullException.ThrowIfNull(section);
        return section.Type == SectionNoBits || !IsWithinFile(section.Offset, section.Size)
            ? default
            : Bytes.Slice((int)section.Offset, (int)section.Size);
    }

    /// <summary>The bytes a segment has in the file.</summary>
    public ReadOnlyMemory<byte> BytesOf(in ElfProgramHeader segment) =>
        Bytes.Slice((int)segment.Offset, (int)segment.FileSize);

    private bool IsWithinFile(ulong offset, ulong size) =>
        offset <= (ulong)Bytes.Length && size <= (ulong)Bytes.Length - offset;

    private List<ElfProgramHeader> ReadSegments(ReadOnlySpan<byte> span)
    {
        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(span[32..]);
        ushort size = BinaryPrimitives.ReadUInt16LittleEndian(span[54..]);
        ushort count = BinaryPrimitives.ReadUInt16LittleEndian(span[56..]);
        if (count == 0)
        {
            return [];
        }

        if (size != ProgramHeaderSize || !IsWithinFile(table, (ulong)count * ProgramHeaderSize))
        {
            throw Broken($"its {count} program headers of {size} bytes at offset {table} do not lie within its"
                + $" {Bytes.Length} bytes; it is truncated or damaged");
        }

        List<ElfProgramHeader> segments = [];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> at = span.Slice((int)table + (i * ProgramHeaderSize), ProgramHeaderSize);
            if (BinaryPrimitives.ReadUInt32LittleEndian(at) != TypeLoad)
            {
                continue;
            }

            ElfProgramHeader segment = new(
                BinaryPrimitives.ReadUInt32LittleEndian(at[4..]),
                BinaryPrimitives.ReadUInt64LittleEndian(at[8..]),
                BinaryPrimitives.ReadUInt64LittleEndian(at[16..]),
                BinaryPrimitives.ReadUInt64LittleEndian(at[24..]),
                BinaryPrimitives.ReadUInt64LittleEndian(at[32..]),
                BinaryPrimitives.ReadUInt64LittleEndian(at[40..]));
            if (segment.MemorySize == 0)
            {
                continue;
            }

            Check(i, segment);
            segments.Add(segment);
        }

        return segments;
    }

    private void Check(int index, in ElfProgramHeader segment)
    {
        if (!IsWithinFile(segment.Offset, segment.FileSize))
        {
            throw Broken($"program header {index} wants {segment.FileSize} bytes at offset {segment.Offset}, but the"
                + $" file has {Bytes.Length}; it is truncated or damaged");
        }

        if (segment.FileSize > segment.MemorySize
            || segment.VirtualAddress + (segment.MemorySize - 1) < segment.VirtualAddress
            || segment.PhysicalAddress + (segment.MemorySize - 1) < segment.PhysicalAddress)
        {
            throw Broken($"program header {index} has impossible sizes (file {segment.FileSize}, memory"
                + $" {segment.MemorySize} bytes); it is damaged");
        }
    }

    // Section headers are a convenience that loading can do without, so damaged ones count as absent.
    private List<ElfSection> ReadSections(ReadOnlySpan<byte> span)
    {
        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(span[40..]);
        ushort size = BinaryPrimitives.ReadUInt16LittleEndian(span[58..]);
        ushort count = BinaryPrimitives.ReadUInt16LittleEndian(span[60..]);
        ushort namesIndex = BinaryPrimitives.ReadUInt16LittleEndian(span[62..]);
        if (count == 0 || size != SectionHeaderSize || namesIndex >= count
            || !IsWithinFile(table, (ulong)count * SectionHeaderSize))
        {
            return [];
        }

        ReadOnlySpan<byte> headers = span.Slice((int)table, count * SectionHeaderSize);
        ReadOnlySpan<byte> namesHeader = headers[(namesIndex * SectionHeaderSize)..];
        ulong namesOffset = BinaryPrimitives.ReadUInt64LittleEndian(namesHeader[24..]);
        ulong namesSize = BinaryPrimitives.ReadUInt64LittleEndian(namesHeader[32..]);
        if (!IsWithinFile(namesOffset, namesSize))
        {
            return [];
        }

        ReadOnlySpan<byte> names = span.Slice((int)namesOffset, (int)namesSize);
        List<ElfSection> sections = new(count);
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> at = headers[(i * SectionHeaderSize)..];
            sections.Add(new ElfSection(
                NameAt(names, BinaryPrimitives.ReadUInt32LittleEndian(at)),
                BinaryPrimitives.ReadUInt32LittleEndian(at[4..]),
                BinaryPrimitives.ReadUInt64LittleEndian(at[8..]),
                BinaryPrimitives.ReadUInt64LittleEndian(at[16..]),
                BinaryPrimitives.ReadUInt64LittleEndian(at[24..]),
                BinaryPrimitives.ReadUInt64LittleEndian(at[32..]),
                BinaryPrimitives.ReadUInt32LittleEndian(at[40..]),
                BinaryPrimitives.ReadUInt64LittleEndian(at[56..])));
        }

        return sections;
    }

    private static string NameAt(ReadOnlySpan<byte> names, uint offset)
    {
        if (offset >= names.Length)
        {
            return "";
        }

        ReadOnlySpan<byte> name = names[(int)offset..];
        name = name[..Math.Min(name.Length, MaxSectionName)];
        int end = name.IndexOf((byte)0);
        return Encoding.ASCII.GetString(end < 0 ? name : name[..end]);
    }

    private KprobeTraceException Broken(string what) => new($"{_name}: {what}");
}
