using System.Buffers.Binary;
using System.Security.Cryptography;
using SharpCompress.Compressors.LZMA;

namespace KprobeTrace.Loaders;

/// <summary>
/// Unpacks one .xz stream whose blocks use LZMA2, alone or behind the x86 branch filter (the .xz file format 1.2.1).
/// </summary>
/// <remarks>
/// Container, index, checks and branch filter are read here; the LZMA2 data itself goes to a library. The chunk
/// headers of the LZMA2 data are walked before anything is unpacked, so its exact size is known and bounded first.
/// </remarks>
internal sealed class XzDecoder
{
    private const int StreamHeaderSize = 12;
    private const int FooterSize = 12;
    private const ulong FilterX86 = 0x04;
    private const ulong FilterLzma2 = 0x21;
    private const byte CheckCrc32 = 1;
    private const byte CheckCrc64 = 4;
    private const byte CheckSha256 = 10;

    private readonly string _name;
    private readonly ReadOnlyMemory<byte> _input;
    private readonly byte[] _output;
    private readonly List<(ulong Unpadded, ulong Unpacked)> _blocks = [];
    private int _at;
    private int _written;

    private XzDecoder(string name, ReadOnlyMemory<byte> input, int length)
    {
        _name = name;
        _input = input;
        _output = new byte[length];
    }

    private ReadOnlySpan<byte> Input => _input.Span;

    /// <summary>Tells whether bytes begin like an .xz stream.</summary>
    public static bool HasMagic(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= 6 && bytes[0] == 0xFD && bytes[1..].StartsWith("7zXZ\0"u8);

    /// <summary>Unpacks a stream that must fill exactly <paramref name="length"/> bytes.</summary>
    public static byte[] Decode(string name, ReadOnlyMemory<byte> input, int length)
    {
        XzDecoder decoder = new(name, input, length);
        byte check = decoder.ReadStreamHeader();
        while (decoder.ByteAt(decoder._at) != 0)
        {
            decoder.ReadBlock(check);
        }

        if (decoder._written != length)
        {
            throw decoder.Broken($"it unpacks to {decoder._written} bytes where {length} are declared");
        }

        decoder.ReadIndexAndFooter(check);
        return decoder._output;
    }

    private static int CheckSize(byte check) => check switch
    {
        0 => 0,
        CheckCrc32 => 4,
        CheckCrc64 => 8,
        CheckSha256 => 32,
        _ => -1,
    };

    private byte ReadStreamHeader()
    {
        ReadOnlySpan<byte> header = Take(StreamHeaderSize, "stream header");
        if (!HasMagic(header))
        {
            throw Broken("it does not begin with the xz magic number");
        }

        CheckCrc(header.Slice(6, 2), header[8..], "stream header");
        byte check = header[7];
        if (header[6] != 0 || CheckSize(check) < 0)
        {
            throw Broken($"it uses check type {check}, which is not known");
        }

        return check;
    }

    private void ReadBlock(byte check)
    {
        int start = _at;
        int headerSize = (ByteAt(_at) + 1) * 4;
        ReadOnlySpan<byte> header = Take(headerSize, "block header");
        CheckCrc(header[..^4], header[^4..], "block header");
        (byte dictionary, bool branchFilter, uint filterStart, ulong? packedSize, ulong? unpackedSize) =
            ParseBlockHeader(header[1..^4]);

        (int packed, int unpacked) = MeasureLzma2();
        if ((packedSize ?? (ulong)packed) != (ulong)packed || (unpackedSize ?? (ulong)unpacked) != (ulong)unpacked)
        {
            throw Broken("a block's sizes disagree with its data");
        }

        Span<byte> target = _output.AsSpan(_written, unpacked);
        Unpack(_input.Slice(_at, packed), dictionary, target);
        if (branchFilter)
        {
            X86BranchFilter.Decode(target, filterStart);
        }

        _at += packed;
        int unpadded = _at - start + CheckSize(check);
        foreach (byte padding in Take(-packed & 3, "block padding"))
        {
            if (padding != 0)
            {
                throw Broken("a block's padding is not zero");
            }
        }

        CheckData(check, target, Take(CheckSize(check), "block check"));
        _written += unpacked;
        _blocks.Add(((ulong)unpadded, (ulong)unpacked));
    }

    private (byte Dictionary, bool BranchFilter, uint FilterStart, ulong? Packed, ulong? Unpacked) ParseBlockHeader(
        ReadOnlySpan<byte> fields)
    {
        byte flags = fields[0];
        int at = 1;
        ulong? packed = (flags & 0x40) != 0 ? ReadNumber(fields, ref at) : null;
        ulong? unpacked = (flags & 0x80) != 0 ? ReadNumber(fields, ref at) : null;
        int filters = (flags & 3) + 1;
        bool branchFilter = false;
        uint filterStart = 0;
        for (int i = 0; i < filters; i++)
        {
            ulong id = ReadNumber(fields, ref at);
            ulong size = ReadNumber(fields, ref at);
            if (size > (ulong)(fields.Length - at))
            {
                throw Broken("a filter's properties reach beyond the block header");
            }

            ReadOnlySpan<byte> properties = fields.Slice(at, (int)size);
            at += (int)size;
            if (id == FilterX86 && i == 0 && filters == 2 && size is 0 or 4)
            {
                branchFilter = true;
                filterStart = size == 4 ? BinaryPrimitives.ReadUInt32LittleEndian(properties) : 0;
            }
            else if (id == FilterLzma2 && i == filters - 1 && size == 1 && properties[0] <= 40
                && (filters == 1 || branchFilter))
            {
                return (properties[0], branchFilter, filterStart, packed, unpacked);
            }
            else
            {
                throw Broken($"it uses filter {id:x}, where only x86 (4) and LZMA2 (21) are known");
            }
        }

        throw Broken("a block has no LZMA2 filter");
    }

    // LZMA2 data is a row of chunks: a control byte, sizes, perhaps a property byte, and the chunk's data.
    private (int Packed, int Unpacked) MeasureLzma2()
    {
        int at = _at;
        long unpacked = 0;
        while (true)
        {
            byte control = ByteAt(at);
            if (control == 0)
            {
                return (at + 1 - _at, (int)unpacked);
            }

            if (control is > 2 and < 0x80)
            {
                throw Broken($"the LZMA2 data has an impossible control byte {control:x2}");
            }

            int low = (ByteAt(at + 1) << 8) + ByteAt(at + 2) + 1;
            if (control < 0x80)
            {
                unpacked += low;
                at += 3 + low;
            }
            else
            {
                unpacked += ((control & 0x1F) << 16) + low;
                int size = (ByteAt(at + 3) << 8) + ByteAt(at + 4) + 1;
                int data = at + 5 + (control >= 0xC0 ? 1 : 0);
                if (ByteAt(data) != 0)
                {
                    throw Broken("a chunk's range coder does not start with 0");
                }

                at = data + size;
            }

            if (unpacked > _output.Length - _written)
            {
                throw Broken($"it unpacks to more than the {_output.Length} bytes declared");
            }
        }
    }

    private void Unpack(ReadOnlyMemory<byte> packed, byte dictionary, Span<byte> target)
    {
        // A dictionary larger than the data is never reached into, so a small one of enough size saves memory.
        byte needed = 0;
        while (needed < dictionary && DictionarySize(needed) < target.Length)
        {
            needed++;
        }

        try
        {
            using MemoryStream stream = new(packed.ToArray(), writable: false);
            using LzmaStream lzma = LzmaStream.Create([needed], stream, packed.Length, target.Length, null!, true, true);
            lzma.ReadExactly(target);
        }
        catch (Exception e) when (e is not KprobeTraceException and not OutOfMemoryException)
        {
            // The library throws many kinds of exception, down to index errors, on damaged data.
            throw new KprobeTraceException($"{_name}: the compressed data is damaged (LZMA2); get the file again", e);
        }
    }

    // Of the codes below 40, which stands for 4 GiB less one.
    private static long DictionarySize(byte code) => (2L | (code & 1L)) << ((code / 2) + 11);

    private void ReadIndexAndFooter(byte check)
    {
        int start = _at;
        int at = start + 1;
        ulong records = ReadNumber(Input, ref at);
        bool agrees = records == (ulong)_blocks.Count;
        for (int i = 0; agrees && i < _blocks.Count; i++)
        {
            agrees = ReadNumber(Input, ref at) == _blocks[i].Unpadded && ReadNumber(Input, ref at) == _blocks[i].Unpacked;
        }

        at += -(at - start) & 3;
        if (!agrees || at + 4 + FooterSize > Input.Length)
        {
            throw Broken("its index disagrees with its blocks");
        }

        CheckCrc(Input[start..at], Input.Slice(at, 4), "index");
        ReadOnlySpan<byte> footer = Input.Slice(at + 4, FooterSize);
        CheckCrc(footer.Slice(4, 6), footer, "stream footer");
        if (footer[8] != 0 || footer[9] != check || footer[10] != 'Y' || footer[11] != 'Z'
            || ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(footer[4..]) + 1) * 4 != (ulong)(at + 4 - start))
        {
            throw Broken("its stream footer disagrees with its header");
        }
    }

    private void CheckData(byte check, ReadOnlySpan<byte> data, ReadOnlySpan<byte> stored)
    {
        bool right = check switch
        {
            CheckCrc32 => Checksums.Crc32(data) == BinaryPrimitives.ReadUInt32LittleEndian(stored),
            CheckCrc64 => Checksums.Crc64(data) == BinaryPrimitives.ReadUInt64LittleEndian(stored),
            CheckSha256 => SHA256.HashData(data).AsSpan().SequenceEqual(stored),
            _ => true,
        };
        if (!right)
        {
            throw Broken("the unpacked data's checksum is wrong; get the file again");
        }
    }

    private void CheckCrc(ReadOnlySpan<byte> data, ReadOnlySpan<byte> stored, string what)
    {
        if (Checksums.Crc32(data) != BinaryPrimitives.ReadUInt32LittleEndian(stored))
        {
            throw Broken($"the checksum of its {what} is wrong");
        }
    }

    private ulong ReadNumber(ReadOnlySpan<byte> from, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; shift < 63 && at < from.Length; shift += 7)
        {
            byte next = from[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if ((next & 0x80) == 0)
            {
                return value;
            }
        }

        throw Broken("a number in its headers is cut off");
    }

    private byte ByteAt(int at) => (uint)at < (uint)Input.Length ? Input[at] : throw Broken("it ends too early");

    private ReadOnlySpan<byte> Take(int length, string what)
    {
        if (length > Input.Length - _at)
        {
            throw Broken($"it ends within a {what}");
        }

        _at += length;
        return Input.Slice(_at - length, length);
    }

    private KprobeTraceException Broken(string what) => new($"{_name}: the xz payload is damaged: {what}");
}
