using System.Buffers.Binary;
using System.Text;

namespace KprobeTrace.Loaders;

/// <summary>The setup header of a Linux bzImage and the parts of the file it points at (Linux/x86 boot protocol).</summary>
internal sealed class BzImageFile
{
    private const int HeaderStart = 0x1F1;
    private const int HeaderMagic = 0x202;
    private const int HeaderEnd = 0x268;
    private const int SectorSize = 512;
    private const ulong Paragraph = 16;
    private const ushort OldestProtocol = 0x020C;
    private const byte LoadedHigh = 0x01;
    private const ushort Entry64 = 0x0001;
    private const int MaxRelease = 128;

    private readonly string _name;

    private BzImageFile(string name, ReadOnlyMemory<byte> bytes)
    {
        _name = name;
        ReadOnlySpan<byte> span = bytes.Span;
        if (span.Length < HeaderEnd)
        {
            throw Broken($"it ends after {span.Length} bytes, within the setup header");
        }

        Protocol = BinaryPrimitives.ReadUInt16LittleEndian(span[0x206..]);
        if (Protocol < OldestProtocol)
        {
            throw Broken($"its boot protocol {Protocol >> 8}.{Protocol & 0xFF:00} is older than 2.12: it is a Linux before 3.8, or a"
                + " program that only looks like one; give a later kernel, or the vmlinux inside");
        }

        if ((span[0x211] & LoadedHigh) == 0)
        {
            throw Broken("it is a zImage, which loads low; give a bzImage or vmlinux");
        }

        int sectors = span[HeaderStart] == 0 ? 4 : span[HeaderStart];
        int setupSize = (sectors + 1) * SectorSize;
        if (setupSize >= span.Length)
        {
            throw Broken($"its setup part of {setupSize} bytes reaches beyond the file's {span.Length}; it is truncated");
        }

        ulong size = (ulong)BinaryPrimitives.ReadUInt32LittleEndian(span[0x1F4..]) * Paragraph;
        ulong present = (ulong)(span.Length - setupSize);
        if (size == 0 || size >= present + Paragraph)
        {
            throw Broken($"its protected-mode part should have {size} bytes but {present} are there; it is truncated"
                + " or damaged");
        }

        // The size is stated in paragraphs, and the file need not fill the last one.
        size = Math.Min(size, present);

        Bytes = bytes;
        ProtectedModePart = bytes.Slice(setupSize, (int)size);
        SetupHeader = bytes[HeaderStart..Math.Min(HeaderMagic + span[0x201], setupSize)];
        HasEntry64 = (BinaryPrimitives.ReadUInt16LittleEndian(span[0x236..]) & Entry64) != 0;
        CommandLineSize = BinaryPrimitives.ReadUInt32LittleEndian(span[0x238..]);
        InitrdAddressMax = BinaryPrimitives.ReadUInt32LittleEndian(span[0x22C..]);
        Payload = PayloadOf(
            BinaryPrimitives.ReadUInt32LittleEndian(span[0x248..]),
            BinaryPrimitives.ReadUInt32LittleEndian(span[0x24C..]));
        PreferredAddress = BinaryPrimitives.ReadUInt64LittleEndian(span[0x258..]);
        InitSize = BinaryPrimitives.ReadUInt32LittleEndian(span[0x260..]);
        Release = ReleaseOf(span[..setupSize]);
    }

    /// <summary>Gets the whole file.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>Gets the boot protocol's version, 0x020F for 2.15.</summary>
    public ushort Protocol { get; }

    /// <summary>Gets the setup header, from offset 0x1F1 to its end.</summary>
    public ReadOnlyMemory<byte> SetupHeader { get; }

    /// <summary>Gets the part behind the real-mode setup code: decompressor and payload.</summary>
    public ReadOnlyMemory<byte> ProtectedModePart { get; }

    /// <summary>Gets the compressed kernel with its trailing length.</summary>
    public ReadOnlyMemory<byte> Payload { get; }

    /// <summary>Gets a value telling whether the protected-mode part has the 64-bit entry point at offset 0x200.</summary>
    public bool HasEntry64 { get; }

    /// <summary>Gets the longest command line in bytes, without its NUL.</summary>
    public uint CommandLineSize { get; }

    /// <summary>Gets the highest physical address the initial RAM disk may occupy.</summary>
    public uint InitrdAddressMax { get; }

    /// <summary>Gets the physical address the protected-mode part prefers to be loaded at.</summary>
    public ulong PreferredAddress { get; }

    /// <summary>Gets the bytes of RAM the kernel needs from its load address on before it reads the memory map.</summary>
    public uint InitSize { get; }

    /// <summary>Gets the release the header names, up to the first blank; empty when it names none.</summary>
    public string Release { get; }

    /// <summary>Tells whether bytes hold a setup header.</summary>
    public static bool HasMagic(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= HeaderMagic + 4 && bytes[0x1FE] == 0x55 && bytes[0x1FF] == 0xAA
        && bytes[HeaderMagic..].StartsWith("HdrS"u8);

    /// <summary>Reads and checks the setup header.</summary>
    /// <param name="name">Name of the file, for messages.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="KprobeTraceException">The file is truncated, damaged or too old.</exception>
    public static BzImageFile Parse(string name, ReadOnlyMemory<byte> bytes) => HasMagic(bytes.Span)
        ? new BzImageFile(name, bytes)
        : throw new KprobeTraceException($"{name}: it is no bzImage (no 'HdrS' at offset 0x202)");

    private ReadOnlyMemory<byte> PayloadOf(uint offset, uint length)
    {
        if (length == 0)
        {
            return default;
        }

        if ((ulong)offset + length > (ulong)ProtectedModePart.Length)
        {
            throw Broken($"its payload of {length} bytes at offset {offset} reaches beyond the protected-mode part's"
                + $" {ProtectedModePart.Length}; it is damaged");
        }

        return ProtectedModePart.Slice((int)offset, (int)length);
    }

    private static string ReleaseOf(ReadOnlySpan<byte> setup)
    {
        int offset = BinaryPrimitives.ReadUInt16LittleEndian(setup[0x20E..]);
        if (offset == 0 || offset + SectorSize >= setup.Length)
        {
            return "";
        }

        ReadOnlySpan<byte> text = setup[(offset + SectorSize)..];
        text = text[..Math.Min(text.Length, MaxRelease)];
        int end = text.IndexOfAny((byte)0, (byte)' ');
        return end < 0 ? "" : Encoding.ASCII.GetString(text[..end]);
    }

    private KprobeTraceException Broken(string what) => new($"{_name}: {what}");
}
