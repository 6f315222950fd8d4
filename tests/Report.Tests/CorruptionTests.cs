using System.Buffers.Binary;
using KprobeTrace.Bench;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>Damaged traces through <c>check</c> and through import.</summary>
public sealed class CorruptionTests : IDisposable
{
    private const int Rounds = 1000;
    private const int Events = 400;
    private const int EventsPerChunk = 40;

    // Objects of the runtime and of an import, and the largest payload that the format allows.
    private const long Heap = (64 << 20) + TraceFormat.MaxRawBytes;

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_thousand_damaged_traces_lose_only_the_chunks_that_were_damaged()
    {
        string trace = _folder["whole.mpk"];
        SyntheticTrace.Write(trace, Events, seed: 3, EventsPerChunk);
        byte[] whole = File.ReadAllBytes(trace);
        List<Chunk> chunks = FindChunks(whole);
        Assert.Equal(Events / EventsPerChunk, chunks.Count);
        Random random = new(20240607);
        string damaged = _folder["damaged.mpk"];
        int refused = 0;
        long kept = 0;
        for (int round = 0; round < Rounds; round++)
        {
            byte[] bytes = Damage(whole, random, round);
            File.WriteAllBytes(damaged, bytes);
            bool[] intact = new bool[Events + 1];
            foreach (Chunk chunk in chunks.Where(c => bytes.AsSpan().IndexOf(whole.AsSpan(c.Start, c.Length)) >= 0))
            {
                Array.Fill(intact, true, chunk.FirstEvent, EventsPerChunk);
            }

            kept += intact.Count(static i => i);
            AssertChecked(damaged, round);
            refused += AssertImported(damaged, intact, round) ? 0 : 1;
        }

        Assert.True(kept > Rounds * Events / 2, "most chunks must be whole for the test to mean anything");

        // Only what was cut off within its first frame is no trace any more.
        Assert.InRange(refused, 0, Rounds / 50);
    }

    [Theory]
    [InlineData(16, "a page size that there is not: no database at all")]
    [InlineData(100, "the head of the first page: a database that is damaged")]
    public void A_damaged_history_beside_its_trace_is_imported_again(int offset, string damage)
    {
        string trace = _folder["whole.mpk"];
        SyntheticTrace.Write(trace, Events, seed: 3, EventsPerChunk);
        string summary = Tool.Good(trace);
        byte[] database = File.ReadAllBytes(trace + ".db");
        database[offset] = 0xFF;
        database[offset + 1] = 0xFF;
        File.WriteAllBytes(trace + ".db", database);

        (int exit, string output, string error) = Tool.Run(trace);

        Assert.Equal((0, summary, damage), (exit, output, damage));
        Assert.Contains($"{trace}.db: is damaged; importing again", error, StringComparison.Ordinal);
        Assert.Equal((0, summary, ""), Tool.Run(trace));
    }

    [Theory]
    [InlineData(TraceFormat.MaxRawBytes, 40)]
    [InlineData(TraceFormat.MaxRawBytes, TraceFormat.MaxEventsPerChunk)]
    [InlineData(TraceFormat.MaxRawBytes, int.MaxValue)]
    [InlineData(1, int.MaxValue)]
    public void Chunks_that_claim_more_than_they_hold_are_imported_in_the_memory_of_whole_ones(int rawLength, int count)
    {
        string trace = _folder["lying.mpk"];
        SyntheticTrace.Write(trace, Events, seed: 3, EventsPerChunk);
        Assert.Equal((0, ""), ToolProcess.Run(["query", trace, "SELECT 1"], Heap));
        byte[] bytes = File.ReadAllBytes(trace);
        foreach (Chunk chunk in FindChunks(bytes))
        {
            Assert.True(FrameHead.TryRead(bytes.AsSpan(chunk.Start), out FrameHead head));
            (head with { RawLength = (uint)rawLength, Count = (uint)count }).Write(bytes.AsSpan(chunk.Start));
        }

        File.WriteAllBytes(trace, bytes);
        (int exit, string error) = ToolProcess.Run(["query", trace, "SELECT 1"], Heap);

        Assert.True(exit == 0, error);
        Assert.Equal([$"{Events / EventsPerChunk}"], Tool.Rows(trace, "SELECT count(*) FROM damages WHERE reason LIKE 'frame %'"));
    }

    private static void AssertChecked(string damaged, int round)
    {
        (int exit, _, string error) = Tool.Run("check", damaged);

        Assert.True(exit is 0 or 1, $"round {round}: {error}");
        Assert.Equal(exit, error.Count(static c => c == '\n'));
    }

    /// <summary>Imports and compares; false where the file was refused as no trace.</summary>
    private static bool AssertImported(string damaged, bool[] intact, int round)
    {
        File.Delete(damaged + ".db");
        (int exit, string output, string error) = Tool.Run("query", damaged, "SELECT seq FROM events ORDER BY seq", "--format", "csv");
        Assert.True(exit is 0 or 1, $"round {round}: {error}");
        Assert.Equal(exit, error.Count(static c => c == '\n'));
        int[] seqs = exit == 0 ? [.. output.Split("\r\n", StringSplitOptions.RemoveEmptyEntries)[1..].Select(static s => int.Parse(s, null))] : [];
        Assert.Equal(seqs.Distinct(), seqs);
        bool[] found = new bool[intact.Length];
        foreach (int seq in seqs)
        {
            found[seq] = true;
        }

        for (int seq = 1; seq < intact.Length; seq++)
        {
            Assert.True(found[seq] || !intact[seq], $"round {round}: event {seq} of a whole chunk is not in the database");
        }

        return exit == 0;
    }

    /// <summary>Damages a copy. Over all rounds of the first kind every byte of the file is changed once.</summary>
    private static byte[] Damage(byte[] whole, Random random, int round)
    {
        byte[] bytes = [.. whole];
        int place = random.Next(bytes.Length);
        switch (round % 5)
        {
            case 0 or 1:
                const int flipRounds = Rounds * 2 / 5;
                int turn = (round / 5 * 2) + (round % 5);
                for (long i = (long)bytes.Length * turn / flipRounds; i < (long)bytes.Length * (turn + 1) / flipRounds; i++)
                {
                    bytes[i] ^= (byte)random.Next(1, 256);
                }

                return bytes;
            case 2:
                return bytes[..place];
            case 3:
                return [.. bytes[..place], .. bytes[Math.Min(bytes.Length, place + random.Next(1, 3000))..]];
            default:
                byte[] foreign = new byte[random.Next(1, 200)];
                random.NextBytes(foreign);
                return random.Next(2) == 0
                    ? [.. bytes[..place], .. foreign, .. bytes[place..]]
                    : [.. bytes[..place], .. foreign, .. bytes[Math.Min(bytes.Length, place + foreign.Length)..]];
        }
    }

    /// <summary>The chunks of events of a whole trace, by docs/trace-format.md.</summary>
    private static List<Chunk> FindChunks(byte[] trace)
    {
        List<Chunk> chunks = [];
        int at = 0;
        while (at < trace.Length)
        {
            int length = 59 + (int)BinaryPrimitives.ReadUInt32BigEndian(trace.AsSpan(at + 40));
            if (trace[at + 12] == 1)
            {
                chunks.Add(new Chunk(at, length, (int)BinaryPrimitives.ReadUInt64BigEndian(trace.AsSpan(at + 21))));
            }

            at += length;
        }

        return chunks;
    }

    private sealed record Chunk(int Start, int Length, int FirstEvent);
}
