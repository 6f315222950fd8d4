using System.Buffers.Binary;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Tracing;

public sealed class TraceDamageTests
{
    [Fact]
    public void A_trace_cut_off_anywhere_yields_every_whole_chunk_and_says_so()
    {
        RecordedTrace trace = RecordedTrace.Synthetic(300, eventsPerChunk: 50);
        List<int> frames = RecordedTrace.FrameOffsets(trace.Bytes);
        for (int length = frames[1]; length < trace.Bytes.Length; length++)
        {
            int whole = frames.FindLastIndex(offset => offset <= length);
            using TraceReader reader = new(new MemoryStream(trace.Bytes, 0, length), "memory");

            TraceCheckReport report = reader.Check();

            Assert.Equal((ulong)(whole - 1), report.Chunks);
            Assert.False(report.Whole);
            Assert.Contains("no footer", report.Damage[^1].Reason, StringComparison.Ordinal);
            Assert.Equal(length == frames[whole] ? 1 : 2, report.Damage.Count);
        }
    }

    [Fact]
    public void A_flipped_byte_costs_the_frame_it_is_in_and_no_other()
    {
        RecordedTrace trace = RecordedTrace.Synthetic(300, eventsPerChunk: 50);
        List<int> frames = RecordedTrace.FrameOffsets(trace.Bytes);
        Random random = new(3);
        for (int at = 0; at < trace.Bytes.Length; at += at % 59 < 3 ? 1 : 7)
        {
            byte[] bytes = (byte[])trace.Bytes.Clone();
            bytes[at] ^= (byte)(1 << random.Next(8));
            int hit = frames.FindLastIndex(offset => offset <= at);

            RequireAllBut(trace, bytes, [hit]);
        }
    }

    [Fact]
    public void Two_thousand_damaged_traces_lose_only_what_was_damaged()
    {
        RecordedTrace trace = RecordedTrace.Synthetic(600, eventsPerChunk: 40);
        List<int> frames = RecordedTrace.FrameOffsets(trace.Bytes);
        Random random = new(20);
        for (int round = 0; round < 2000; round++)
        {
            (byte[] bytes, HashSet<int> hit) = Damage(trace.Bytes, frames, random);
            RequireAllBut(trace, bytes, hit);
        }
    }

    [Fact]
    public void Ten_thousand_hostile_payloads_are_delivered_or_refused_but_never_trip_the_reader()
    {
        RecordedTrace trace = RecordedTrace.Extreme(200, eventsPerChunk: 40);
        List<int> frames = RecordedTrace.FrameOffsets(trace.Bytes);
        Random random = new(21);
        int refused = 0;
        for (int round = 0; round < 10_000; round++)
        {
            int frame = random.Next(frames.Count - 1);
            byte[] bytes = Reseal(trace.Bytes, frames, frame, payload => Mutate(payload, random), out bool same);

            using TraceReader reader = new(new MemoryStream(bytes), "memory");
            while (reader.ReadChunk())
            {
                for (int i = 0; i < reader.Events.Length; i++)
                {
                    Assert.True(reader.GetArguments(i).Length <= TraceFormat.MaxRowBytes);
                    Assert.True(reader.GetStack(i).Length <= TraceFormat.MaxStackDepth);
                }
            }

            refused += reader.Damage.Count > 0 ? 1 : 0;
            Assert.True(!same || reader.Damage.Count == 0);
        }

        Assert.True(refused > 3000, $"only {refused} of the payloads were refused");
    }

    [Fact]
    public void A_payload_with_repeated_keys_is_refused_or_read_by_its_last()
    {
        // A second, longer table of streams behind columns that were sized for the first.
        RecordedTrace trace = RecordedTrace.Synthetic(40, eventsPerChunk: 40);
        List<int> frames = RecordedTrace.FrameOffsets(trace.Bytes);
        int events = frames.FindIndex(offset => trace.Bytes[offset + 12] == (byte)TraceChunkKind.Events);
        byte[] twice = Reseal(
            trace.Bytes,
            frames,
            events,
            payload =>
            {
                byte[] longer = [.. payload, 0xA7, .. "streams"u8, 0x91, 0x93, 0, 0, 0];
                longer[4]++;
                return longer;
            },
            out _);

        using TraceReader reader = new(new MemoryStream(twice), "memory");
        TraceCheckReport report = reader.Check();

        Assert.Equal(0UL, report.Events);
        Assert.Contains(report.Damage, d => d.Reason.Contains("no stream", StringComparison.Ordinal));
    }

    [Fact]
    public void A_length_beyond_the_limits_is_refused_before_anything_is_allocated()
    {
        RecordedTrace trace = RecordedTrace.Synthetic(40);
        List<int> frames = RecordedTrace.FrameOffsets(trace.Bytes);
        FrameHead.TryRead(trace.Bytes.AsSpan(frames[2]), out FrameHead head);
        (head with { RawLength = uint.MaxValue }).Write(trace.Bytes.AsSpan(frames[2]));

        long before = GC.GetAllocatedBytesForCurrentThread();
        using TraceReader reader = new(new MemoryStream(trace.Bytes), "memory");
        TraceCheckReport report = reader.Check();

        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 4 << 20);
        Assert.False(report.Whole);
    }

    [Fact]
    public void A_bomb_unpacks_to_no_more_than_its_head_says()
    {
        byte[] bomb = new byte[40 << 20];
        using ZstdSharp.Compressor compressor = new(1);
        byte[] packed = compressor.Wrap(bomb).ToArray();
        RecordedTrace trace = RecordedTrace.Synthetic(40);
        List<int> frames = RecordedTrace.FrameOffsets(trace.Bytes);
        FrameHead.TryRead(trace.Bytes.AsSpan(frames[1]), out FrameHead head);
        byte[] frame = new byte[FrameHead.Size + packed.Length];
        packed.CopyTo(frame.AsSpan(FrameHead.Size));
        FrameHead forged = head with
        {
            Codec = FrameHead.Zstandard,
            RawLength = 1000,
            PackedLength = (uint)packed.Length,
            PayloadChecksum = System.IO.Hashing.Crc32.HashToUInt32(packed),
        };
        forged.Write(frame);
        byte[] bytes = [.. trace.Bytes[..frames[1]], .. frame, .. trace.Bytes[frames[2]..]];

        using TraceReader reader = new(new MemoryStream(bytes), "memory");
        TraceCheckReport report = reader.Check();

        Assert.Equal(40UL, report.Events);
        Assert.Contains("does not unpack", Assert.Single(report.Damage).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_full_of_heads_with_false_lengths_is_read_in_linear_time()
    {
        byte[] header = RecordedTrace.Synthetic(1).Bytes;
        header = header[..RecordedTrace.FrameOffsets(header)[1]];
        byte[] head = new byte[FrameHead.Size];
        MemoryStream stream = new();
        stream.Write(header);
        for (uint i = 1; i < 20_000; i++)
        {
            new FrameHead(TraceChunkKind.Events, FrameHead.Zstandard, i, 1, 10, 1000, 500_000, 0).Write(head);
            stream.Write(head);
        }

        CountingStream counting = new(stream.ToArray());
        using TraceReader reader = new(counting, "memory");
        TraceCheckReport report = reader.Check();

        Assert.Equal(0UL, report.Chunks);
        Assert.True(report.Damage.Count > 0);

        // Each head with the first window of a search behind it; and of what the heads claim no more than a few times the file.
        long heads = 20_000 * (FrameHead.Size + (FrameReader.ScanBytes >> 6));
        Assert.InRange(counting.BytesRead, counting.Length, heads + (8 * (counting.Length + TraceFormat.MaxPackedBytes)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("hello, this is no trace at all, but some text that is longer than a head of a frame would be")]
    [InlineData("\u007FELF")]
    public void What_is_no_trace_is_one_clear_line(string content)
    {
        byte[] bytes = System.Text.Encoding.Latin1.GetBytes(content);
        KprobeTraceException e = Assert.Throws<KprobeTraceException>(() => new TraceReader(new MemoryStream(bytes), "x.mpk"));
        Assert.StartsWith("x.mpk: ", e.Message, StringComparison.Ordinal);
        Assert.Contains("trace", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void A_later_version_is_named()
    {
        byte[] bytes = RecordedTrace.Synthetic(5).Bytes;
        foreach (int offset in RecordedTrace.FrameOffsets(bytes)[..^1])
        {
            bytes[offset + FrameHead.VersionOffset] = 2;
        }

        KprobeTraceException e = Assert.Throws<KprobeTraceException>(() => new TraceReader(new MemoryStream(bytes), "x.mpk"));
        Assert.Contains("format version 2, this program reads version 1", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_one_clear_line()
    {
        KprobeTraceException e = Assert.Throws<KprobeTraceException>(() => TraceReader.Open("/nonexistent/x.mpk"));
        Assert.Equal("/nonexistent/x.mpk: no such file; give the path of the trace", e.Message);
    }

    /// <summary>Requires that reading the damaged bytes gives every frame but those listed, and nothing that was not written.</summary>
    private static void RequireAllBut(RecordedTrace trace, byte[] bytes, HashSet<int> hit)
    {
        List<int> frames = RecordedTrace.FrameOffsets(trace.Bytes);
        HashSet<ulong> expected = [];
        for (int frame = 1; frame < frames.Count - 1; frame++)
        {
            FrameHead.TryRead(trace.Bytes.AsSpan(frames[frame]), out FrameHead head);
            for (ulong seq = head.First; head.Kind == TraceChunkKind.Events && seq < head.First + head.Count && !hit.Contains(frame); seq++)
            {
                expected.Add(seq);
            }
        }

        TraceReader reader;
        try
        {
            reader = new TraceReader(new MemoryStream(bytes), "memory");
        }
        catch (KprobeTraceException) when (hit.Contains(0) && expected.Count == 0)
        {
            return;
        }

        using (reader)
        {
            while (reader.ReadChunk())
            {
                for (int i = 0; i < reader.Events.Length; i++)
                {
                    expected.Remove(reader.Events[i].Seq);
                    trace.RequireEvent(reader, i);
                }
            }

            Assert.Empty(expected);
            Assert.Equal(hit.Count > 0, reader.Damage.Count > 0);
        }
    }

    /// <summary>One to four random injuries: flipped, overwritten, removed and inserted bytes.</summary>
    private static (byte[] Bytes, HashSet<int> Hit) Damage(byte[] original, List<int> frames, Random random)
    {
        List<byte> bytes = [.. original];
        HashSet<int> hit = [];

        // From the back to the front, so that offsets before an injury keep their meaning.
        int end = original.Length;
        for (int injuries = random.Next(1, 5); injuries > 0 && end > 1; injuries--)
        {
            int at = random.Next(end);
            int length = Math.Min(random.Next(1, random.Next(4) == 0 ? 2000 : 8), end - at);
            for (int i = at; i < at + length; i++)
            {
                hit.Add(frames.FindLastIndex(offset => offset <= i));
            }

            switch (random.Next(4))
            {
                case 0:
                    for (int i = at; i < at + length; i++)
                    {
                        bytes[i] ^= (byte)random.Next(1, 256);
                    }

                    break;
                case 1:
                    for (int i = at; i < at + length; i++)
                    {
                        bytes[i] = (byte)(bytes[i] + 0x80);
                    }

                    break;
                case 2:
                    bytes.RemoveRange(at, length);
                    break;
                default:
                    byte[] noise = new byte[length];
                    random.NextBytes(noise);
                    bytes.InsertRange(at, noise);
                    break;
            }

            end = at;
        }

        return ([.. bytes], hit);
    }

    /// <summary>Changes one frame's payload and makes its head and checksums fit, as an attacker would.</summary>
    private static byte[] Reseal(byte[] bytes, List<int> frames, int frame, Func<byte[], byte[]> change, out bool same)
    {
        int start = frames[frame];
        FrameHead.TryRead(bytes.AsSpan(start), out FrameHead head);
        byte[] payload = bytes[(start + FrameHead.Size)..frames[frame + 1]];
        if (head.Codec == FrameHead.Zstandard)
        {
            using ZstdSharp.Decompressor decompressor = new();
            payload = decompressor.Unwrap(payload).ToArray();
        }

        byte[] changed = change(payload);
        same = payload.AsSpan().SequenceEqual(changed);
        byte[] sealedFrame = new byte[FrameHead.Size + changed.Length];
        changed.CopyTo(sealedFrame, FrameHead.Size);
        FrameHead forged = head with
        {
            Codec = FrameHead.Stored,
            RawLength = (uint)changed.Length,
            PackedLength = (uint)changed.Length,
            PayloadChecksum = System.IO.Hashing.Crc32.HashToUInt32(changed),
        };
        forged.Write(sealedFrame);
        return [.. bytes[..start], .. sealedFrame, .. bytes[frames[frame + 1]..]];
    }

    private static byte[] Mutate(byte[] payload, Random random)
    {
        List<byte> bytes = [.. payload];
        byte[] heads = [0xDD, 0xDF, 0xC6, 0xDC, 0xDE, 0xCF, 0xD3, 0x9F, 0x8F, 0xC0, 0xC1, 0xC9];
        for (int changes = random.Next(1, 4); changes > 0; changes--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] = heads[random.Next(heads.Length)];
                    break;
                case 2 when at + 5 <= bytes.Count:
                    byte[] length = new byte[4];
                    BinaryPrimitives.WriteUInt32BigEndian(length, (uint)random.NextInt64(1L << random.Next(1, 33)));
                    for (int i = 0; i < 4; i++)
                    {
                        bytes[at + 1 + i] = length[i];
                    }

                    break;
                case 3:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 20), bytes.Count - at));
                    if (bytes.Count == 0)
                    {
                        return [];
                    }

                    break;
                default:
                    bytes.InsertRange(at, Enumerable.Repeat((byte)0x91, random.Next(1, 40)));
                    break;
            }
        }

        return [.. bytes];
    }
}
