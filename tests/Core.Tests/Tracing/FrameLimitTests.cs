using System.IO.Hashing;
using KprobeTrace.Tracing;
using Xunit;
using ZstdSharp;

namespace KprobeTrace.Tests.Tracing;

/// <summary>Heads and payloads at the limits of the format, and what a reader says of frames that are not as they should be.</summary>
public sealed class FrameLimitTests
{
    private static readonly byte[] _header = WrittenHeader();

    private static FrameHead Head => new(TraceChunkKind.Events, FrameHead.Zstandard, 7, 8, 9, 10, 11, 12);

    /// <summary>Raw and packed lengths at, below and above their limits.</summary>
    public static TheoryData<uint, uint, bool> Lengths
    {
        get
        {
            TheoryData<uint, uint, bool> rows = new() { { 0, 0, true }, { uint.MaxValue, 0, false }, { 0, uint.MaxValue, false } };
            foreach (int offset in new[] { -1, 0, 1 })
            {
                rows.Add((uint)(TraceFormat.MaxRawBytes + offset), 0, offset <= 0);
                rows.Add(0, (uint)(TraceFormat.MaxPackedBytes + offset), offset <= 0);
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Head_is_none_whose_lengths_exceed_the_format(uint raw, uint packed, bool allowed)
    {
        byte[] bytes = new byte[FrameHead.Size];
        FrameHead head = Head with { RawLength = raw, PackedLength = packed };
        head.Write(bytes);

        Assert.Equal(allowed, FrameHead.TryRead(bytes, out FrameHead read));
        Assert.Equal(allowed ? head : default, read);
    }

    [Fact]
    public void Head_stands_at_the_offsets_that_the_document_says()
    {
        byte[] bytes = new byte[FrameHead.Size];
        new FrameHead((TraceChunkKind)0x81, 0x82, 0x83848586, 0x8788898A8B8C8D8E, 0x8F909192, 0x01949596, 0x0198999A, 0x9B9C9D9E).Write(bytes);

        uint crc = PlainTrace.Crc32(bytes.AsSpan(0, 49));
        Assert.Equal(
            $"9BC4084B50545241434501CC81CC82CE83848586CF8788898A8B8C8D8ECE8F909192CE01949596CE0198999ACE9B9C9D9ECE{crc:X8}C60198999A",
            Convert.ToHexString(bytes));
    }

    [Fact]
    public void Head_with_any_bit_changed_is_none_and_neither_is_one_cut_off()
    {
        byte[] bytes = new byte[FrameHead.Size];
        Head.Write(bytes);
        for (int bit = 0; bit < 8 * bytes.Length; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(FrameHead.TryRead(bytes, out _), $"bit {bit}");
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        Assert.True(FrameHead.TryRead(bytes, out _));
        Assert.False(FrameHead.TryRead(bytes.AsSpan(0, FrameHead.Size - 1), out _));
        Assert.True(FrameHead.TryRead([.. bytes, 1, 2, 3], out _));
    }

    [Theory]
    [InlineData(0, true, 0)]
    [InlineData(1, true, -1)]
    [InlineData(2, true, 2)]
    [InlineData(255, true, 255)]
    [InlineData(2, false, -1)]
    public void Another_version_is_one_under_a_checksum_that_is_right(byte version, bool right, int found)
    {
        byte[] bytes = new byte[FrameHead.Size];
        Head.Write(bytes);
        bytes[FrameHead.VersionOffset] = version;
        uint crc = PlainTrace.Crc32(bytes.AsSpan(0, 49)) ^ (right ? 0u : 1u);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(50), crc);

        Assert.Equal(found, FrameHead.OtherVersion(bytes));
        Assert.Equal(found, FrameHead.OtherVersion(bytes.AsSpan(0, 54)));
        Assert.Equal(-1, FrameHead.OtherVersion(bytes.AsSpan(0, 53)));
        Assert.Equal(version, FrameHead.ClaimedVersion(bytes));
        Assert.Equal(version, FrameHead.ClaimedVersion(bytes.AsSpan(0, 11)));
        Assert.Equal(-1, FrameHead.ClaimedVersion(bytes.AsSpan(0, 10)));
        bytes[9] ^= 1;
        Assert.Equal(-1, FrameHead.ClaimedVersion(bytes));
        Assert.Equal(-1, FrameHead.OtherVersion(bytes));
    }

    /// <summary>Kinds of frames with the most bytes that a payload of theirs may have.</summary>
    public static TheoryData<byte, int> Kinds => new()
    {
        { (byte)TraceChunkKind.None, TraceFormat.MaxRowBytes },
        { (byte)TraceChunkKind.Events, TraceFormat.MaxRawBytes },
        { (byte)TraceChunkKind.Probes, TraceFormat.MaxRowBytes },
        { (byte)TraceChunkKind.Notes, TraceFormat.MaxRowBytes },
        { (byte)TraceChunkKind.Footer, TraceFormat.MaxRowBytes },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Payload_is_written_up_to_its_limit(byte kind, int limit)
    {
        foreach (int length in new[] { limit - 1, limit })
        {
            MemoryStream stream = new();
            using FrameWriter writer = new(stream, "memory");
            writer.Write((TraceChunkKind)kind, 1, 1, new byte[length], compress: true);
            Assert.True(FrameHead.TryRead(stream.GetBuffer(), out FrameHead head));
            Assert.Equal((uint)length, head.RawLength);
            Assert.Equal(FrameHead.Zstandard, head.Codec);
        }

        using FrameWriter other = new(new MemoryStream(), "memory");
        KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => other.Write((TraceChunkKind)kind, 1, 1, new byte[limit + 1], compress: true));
        Assert.Contains($"the limit is {limit}", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, other.BytesWritten);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Payload_is_read_up_to_its_limit(byte kind, int limit)
    {
        foreach (int length in new[] { limit - 1, limit, limit + 1 })
        {
            byte[] packed = Zstd(new byte[length]);
            byte[] bytes = Frame(Head with { Kind = (TraceChunkKind)kind, Index = 0, RawLength = (uint)length }, packed);
            using FrameReader reader = new(new MemoryStream(bytes), "memory");

            Assert.Equal(length <= limit, reader.Next());
            Assert.Equal(length <= limit ? length : 0, reader.Payload.Length);
            Assert.Equal(length > limit ? 1 : 0, reader.Damage.Count);
        }
    }

    [Theory]
    [InlineData(FrameHead.Stored, 100, 100, true)]
    [InlineData(FrameHead.Stored, 100, 99, false)]
    [InlineData(FrameHead.Stored, 100, 101, false)]
    [InlineData(FrameHead.Zstandard, 100, 100, true)]
    [InlineData(FrameHead.Zstandard, 100, 99, false)]
    [InlineData(FrameHead.Zstandard, 100, 101, false)]
    [InlineData(2, 100, 100, false)]
    public void Payload_unpacks_to_as_many_bytes_as_its_head_says(byte codec, int length, uint says, bool sound)
    {
        byte[] payload = [.. Enumerable.Range(0, length).Select(i => (byte)i)];
        byte[] bytes = Frame(Head with { Codec = codec, Index = 0, RawLength = says }, codec == FrameHead.Stored ? payload : Zstd(payload));
        using FrameReader reader = new(new MemoryStream(bytes), "memory");

        Assert.Equal(sound, reader.Next());
        Assert.Equal(sound ? payload : [], reader.Payload.ToArray());
        Assert.Equal(sound ? 0 : 1, reader.Damage.Count);
    }

    [Fact]
    public void Payload_that_does_not_become_smaller_is_stored_and_header_and_footer_always()
    {
        byte[] noise = new byte[1000];
        new Random(1).NextBytes(noise);
        MemoryStream stream = new();
        using FrameWriter writer = new(stream, "memory");
        writer.Write(TraceChunkKind.Events, 1, 1, noise, compress: true);
        writer.Write(TraceChunkKind.Events, 2, 1, new byte[1000], compress: true);
        writer.Write(TraceChunkKind.Footer, 3, 1, new byte[1000], compress: false);

        FrameHead[] heads = Heads(stream.ToArray());
        Assert.Equal([FrameHead.Stored, FrameHead.Zstandard, FrameHead.Stored], heads.Select(h => h.Codec));
        Assert.Equal([0u, 1u, 2u], heads.Select(h => h.Index));
        Assert.Equal(1000u, heads[0].PackedLength);
        Assert.InRange(heads[1].PackedLength, 1u, 999u);
        Assert.Equal(stream.Length, writer.BytesWritten);
    }

    [Fact]
    public void Payload_that_stays_as_long_is_stored()
    {
        byte[] payload = new byte[400];
        new Random(2).NextBytes(payload.AsSpan(0, 200));
        using Compressor compressor = new(level: 1);
        int same = Enumerable.Range(200, 200).First(length => compressor.Wrap(payload.AsSpan(0, length)).Length <= length);
        Assert.Equal(same, compressor.Wrap(payload.AsSpan(0, same)).Length);
        MemoryStream stream = new();
        using FrameWriter writer = new(stream, "memory");

        writer.Write(TraceChunkKind.Events, 1, 1, payload.AsSpan(0, same), compress: true);

        Assert.Equal([FrameHead.Stored], Heads(stream.ToArray()).Select(static h => h.Codec));
    }

    [Theory]
    [InlineData(new uint[] { 0, 1, 2 }, "")]
    [InlineData(new uint[] { 0, 2 }, "frame 1 is missing")]
    [InlineData(new uint[] { 0, 3 }, "frames 1 to 2 are missing")]
    [InlineData(new uint[] { 0, 1, 1 }, "frame 2 should stand here")]
    [InlineData(new uint[] { 0, 2, 1 }, "frame 1 is missing|frame 3 should stand here")]
    [InlineData(new uint[] { 0, uint.MaxValue }, "frames 1 to 4294967294 are missing")]
    public void Indices_rise_by_one(uint[] indices, string damage)
    {
        byte[] bytes = [.. indices.SelectMany(i => Frame(Head with { Kind = TraceChunkKind.Notes, Codec = FrameHead.Stored, Index = i, RawLength = 1, Count = 0 }, [0x90]))];
        using FrameReader reader = new(new MemoryStream(bytes), "memory");
        List<uint> read = [];
        while (reader.Next())
        {
            read.Add(reader.Head.Index);
        }

        string[] places = damage.Split('|', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(places.Length, reader.Damage.Count);
        Assert.All(places.Zip(reader.Damage), pair => Assert.Contains(pair.First, pair.Second.Reason, StringComparison.Ordinal));
        Assert.Equal(read.Order().Distinct(), read);

        // A frame at the wrong place is lost whole; where one is missing no byte is.
        int frame = FrameHead.Size + 1;
        Assert.All(reader.Damage, place => Assert.Equal(
            (0, place.Reason.EndsWith("here", StringComparison.Ordinal) ? frame : 0), ((int)place.Offset % frame, (int)place.Length)));
    }

    /// <summary>
    /// Behind a frame that is damaged the next head is searched, unless damaged frames claimed more than four times the file and the
    /// largest payload already; the search goes on where the claim leads out of the file.
    /// </summary>
    [Theory]
    [InlineData(0, 40)]
    [InlineData(-1, 39)]
    public void Heads_inside_a_damaged_payload_are_searched_until_too_much_was_claimed(int beyond, int searched)
    {
        const int claimed = 950_000;
        int length = (((40 * claimed) - TraceFormat.MaxPackedBytes) / 4) + beyond;
        byte[] file = new byte[length];
        _header.CopyTo(file, 0);
        FrameHead head = Head with { Kind = TraceChunkKind.Notes, Codec = FrameHead.Stored, RawLength = 1, PackedLength = claimed, Index = 1 };
        for (int i = 0; i < 45; i++)
        {
            head.Write(file.AsSpan(_header.Length + (i * FrameHead.Size)));
        }

        int behind = _header.Length + (41 * FrameHead.Size) + claimed;
        (head with { PackedLength = 2_000_000 }).Write(file.AsSpan(behind));
        Frame(head, [0x90]).CopyTo(file, behind + FrameHead.Size);
        using FrameReader reader = new(new MemoryStream(file), "memory");

        Assert.True(reader.Next());
        Assert.True(reader.Next());

        Assert.Equal(behind + FrameHead.Size, reader.FrameOffset);
        Assert.Equal(Enumerable.Repeat((long)FrameHead.Size, searched), reader.Damage.Take(searched).Select(d => d.Length));
        Assert.Equal(FrameHead.Size + claimed, reader.Damage[searched].Length);
    }

    [Fact]
    public void Frame_behind_noise_is_found_wherever_the_windows_of_the_search_end()
    {
        byte[] frame = Frame(Head with { Kind = TraceChunkKind.Notes, Codec = FrameHead.Stored, Index = 1, RawLength = 1, Count = 0 }, [0x90]);
        int window = FrameReader.ScanBytes >> 6;
        List<int> ends = [window, window + (4 * window), window + (4 * window) + (16 * window)];
        foreach (int noise in ends.SelectMany(end => Enumerable.Range(end - (2 * FrameHead.Size), 4 * FrameHead.Size)))
        {
            using FrameReader reader = new(new MemoryStream([.. _header, .. new byte[noise], .. frame]), "memory");
            Assert.True(reader.Next());
            Assert.True(reader.Next(), $"lost behind {noise} bytes");
            Assert.Equal(_header.Length + noise, reader.FrameOffset);
            Assert.Equal((_header.Length, noise), ((int)reader.Damage[0].Offset, (int)reader.Damage[0].Length));
        }
    }

    [Fact]
    public void Damage_is_listed_a_thousand_times_and_counted_beyond()
    {
        foreach (int places in new[] { FrameReader.MaxDamageListed - 1, FrameReader.MaxDamageListed, FrameReader.MaxDamageListed + 1 })
        {
            using FrameReader reader = new(new MemoryStream(_header), "memory");
            for (int i = 0; i < places; i++)
            {
                reader.AddDamage(i, 1, "x");
            }

            Assert.Equal(Math.Min(places, FrameReader.MaxDamageListed), reader.Damage.Count);
            Assert.Equal(Math.Max(0, places - FrameReader.MaxDamageListed), reader.DamageNotListed);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(11)]
    [InlineData(58)]
    public void File_that_ends_within_a_head_says_so_and_where(int present)
    {
        byte[] frame = Frame(Head with { Index = 1 }, [1, 2, 3]);
        using FrameReader reader = new(new MemoryStream([.. _header, .. frame[..present]]), "memory");
        Assert.True(reader.Next());
        Assert.False(reader.Next());

        Assert.Equal(
            present == 0 ? [] : [$"the file ends within the head of frame 1, at offset {_header.Length + present}"],
            reader.Damage.Select(d => d.Reason));
    }

    [Fact]
    public void Frame_that_is_lost_is_named_by_what_it_held()
    {
        (TraceChunkKind Kind, uint Count, string Name)[] frames =
        [
            (TraceChunkKind.Events, 1, "frame 1 (event 8) is lost"), (TraceChunkKind.Events, 3, "frame 1 (events 8 to 10) is lost"),
            (TraceChunkKind.Notes, 3, "frame 1 (3 Notes rows) is lost"), (TraceChunkKind.Footer, 1, "frame 1 (footer) is lost"),
            (TraceChunkKind.None, 1, "frame 1 (header) is lost"),
        ];
        foreach ((TraceChunkKind kind, uint count, string name) in frames)
        {
            byte[] frame = Frame(Head with { Kind = kind, Index = 1, Count = count }, [1, 2, 3]);
            frame[^1] ^= 1;
            using FrameReader reader = new(new MemoryStream([.. _header, .. frame]), "memory");
            while (reader.Next())
            {
            }

            TraceDamage damage = Assert.Single(reader.Damage);
            Assert.StartsWith(name, damage.Reason, StringComparison.Ordinal);
            Assert.Equal((_header.Length, frame.Length), ((int)damage.Offset, (int)damage.Length));
        }
    }

    private static byte[] Zstd(byte[] bytes)
    {
        using ZstdSharp.Compressor compressor = new(1);
        return compressor.Wrap(bytes).ToArray();
    }

    private static byte[] Frame(FrameHead head, byte[] payload)
    {
        byte[] frame = new byte[FrameHead.Size + payload.Length];
        (head with { PackedLength = (uint)payload.Length, PayloadChecksum = Crc32.HashToUInt32(payload) }).Write(frame);
        payload.CopyTo(frame, FrameHead.Size);
        return frame;
    }

    private static FrameHead[] Heads(byte[] bytes)
    {
        List<FrameHead> heads = [];
        for (int at = 0; at < bytes.Length; at += FrameHead.Size + (int)heads[^1].PackedLength)
        {
            Assert.True(FrameHead.TryRead(bytes.AsSpan(at), out FrameHead head));
            heads.Add(head);
        }

        return [.. heads];
    }

    private static byte[] WrittenHeader()
    {
        MemoryStream stream = new();
        using TraceWriter writer = new(stream, "memory", new TraceHeader { ImageName = "x", ImageSha256 = "" });
        return stream.ToArray();
    }
}
