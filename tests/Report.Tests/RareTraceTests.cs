using System.Globalization;
using System.Text;
using System.Text.Json;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>What few recordings have: many notes, large numbers of probes, other options.</summary>
public sealed class RareTraceTests : IDisposable
{
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(19, 0)]
    [InlineData(20, 0)]
    [InlineData(21, 1)]
    [InlineData(45, 25)]
    public void Summary_shows_twenty_notes_and_says_how_many_more_there_are(int notes, int more)
    {
        string trace = Write("notes.mpk", writer =>
        {
            for (int i = 0; i < notes; i++)
            {
                writer.WriteNote(new TraceNote { Kind = TraceNoteKind.Remark, ProbeId = -1, Count = 1, Text = $"number {i}." });
            }
        });

        string[] lines = Tool.Good(trace).Split('\n');

        Assert.Equal(
            [.. Enumerable.Range(0, Math.Min(notes, 20)).Select(static i => $"remark: number {i}."), .. more > 0 ? [$"… and {more} more in the view notes"] : (string[])[]],
            lines.Select(static l => l.Trim()).SkipWhile(static l => l != "Notes").Skip(1).TakeWhile(static l => l.Length > 0));
    }

    [Fact]
    public void Summary_has_twenty_places_of_damage_and_none_for_what_has_no_place()
    {
        string trace = _folder.Trace("p:f f\n1 f");
        _ = Tool.Good(trace);
        using (SqliteDatabase database = SqliteDatabase.Open(trace + ".db", write: true))
        {
            database.Execute("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 25) INSERT INTO kt_damage(run, offset, length, reason) SELECT 1, x * 10, x % 3, 'reason ' || x FROM n");
            database.Execute("INSERT INTO kt_damage(run, offset, length, reason) VALUES(2, 1, 1, 'of another run')");
        }

        using TraceHistory history = TraceHistory.OpenDatabase(trace + ".db");
        Assert.Equal(
            Enumerable.Range(1, 20).Select(static x => x % 3 == 0 ? $"reason {x}" : $"at byte {x * 10}: reason {x}"), TraceSummary.Read(history)[0].Damage);
    }

    [Fact]
    public void Probes_have_any_numbers_in_any_order()
    {
        int[] ids = [70_000, 0, 255, 256, 4095, 4096, 4097, 65_535, 65_536, 1 << 24, 3];
        string trace = Write("numbers.mpk", writer =>
        {
            foreach (int id in ids)
            {
                writer.WriteProbe(new TraceProbe { Id = id, Type = 'p', Name = $"probe{id}", Symbol = $"function{id}", Address = 0x1000 + ((ulong)id * 16), Arguments = [new("id", "u32")] });
            }

            foreach (int id in ids.Concat(ids.Reverse()))
            {
                TraceEvent e = new() { ProbeId = id, Address = 0x1000 + ((ulong)id * 16), Parts = TraceEventParts.Arguments };
                byte[] number = [0x91, 0xCE, (byte)(id >> 24), (byte)(id >> 16), (byte)(id >> 8), (byte)id];
                _ = writer.WriteEvent(in e, number, []);
            }
        });
        int[] sorted = [.. ids.Order()];

        Assert.Equal(
            ids.Concat(ids.Reverse()).Select(static id => $"probe{id}: (0x{0x1000 + (id * 16):x}) id={id}"),
            Tool.Good("events", trace).TrimEnd('\n').Split('\n').Select(static l => l[(l.IndexOf(": ", StringComparison.Ordinal) + 2)..]));
        Assert.Equal(sorted.Select(static id => $"{id},probe{id},2,2"), Tool.Rows(trace, "SELECT probe, name, hits, (SELECT count(*) FROM events e WHERE e.probe = p.probe) FROM probes p ORDER BY probe"));
        foreach (int id in ids)
        {
            Assert.Equal([$"{id},{id}"], Tool.Rows(trace, $"SELECT DISTINCT probe, id FROM probe{id}"));
        }
    }

    [Fact]
    public void Runs_of_other_options_differ_in_them_and_nothing_else()
    {
        string a = Write("a.mpk", static _ => { }, new() { ["kinds"] = "pre", ["max-events"] = "7" });
        string b = Write("b.mpk", static _ => { }, new() { ["kinds"] = "pre,ret", ["max-events"] = "7" });
        string same = Write("same.mpk", static _ => { }, new() { ["max-events"] = "7", ["kinds"] = "pre" });

        Assert.Equal(["options"], Inputs(a, b).Select(static i => i.Name));
        Assert.Equal(("""{"kinds":"pre","max-events":"7"}""", """{"kinds":"pre,ret","max-events":"7"}"""), Inputs(a, b).Select(static i => (i.A, i.B)).Single());
        Assert.Empty(Inputs(a, same));
    }

    [Theory]
    [InlineData("1", "1", "vmlinuz", "vmlinuz", true, "")]
    [InlineData("1", "2", "vmlinuz", "vmlinuz", false, "image sha256")]
    [InlineData("1", "2", "vmlinuz", "vmlinuz-b", false, "")]
    [InlineData("1", "1", "vmlinuz", "vmlinuz-b", true, "")]
    [InlineData("", "", "vmlinuz", "vmlinuz", false, "image sha256")] // no checksum is that of no image
    public void Runs_are_of_one_image_where_its_checksum_is_the_same(string shaA, string shaB, string imageA, string imageB, bool isSame, string inputs)
    {
        string a = Write("a.mpk", static _ => { }, sha256: string.Concat(Enumerable.Repeat(shaA, 64)), image: imageA);
        string b = Write("b.mpk", static _ => { }, sha256: string.Concat(Enumerable.Repeat(shaB, 64)), image: imageB);

        Assert.Equal(isSame, Diff(a, b).GetProperty("sameImage").GetBoolean());
        Assert.Equal(inputs, string.Join(' ', Inputs(a, b).Select(static i => i.Name)));
    }

    [Theory]
    [InlineData(199_999, "1")]
    [InlineData(200_000, "")]
    public void A_call_is_open_at_an_event_that_is_fewer_than_200000_before_its_return(int later, string open)
    {
        string trace = _folder.Trace("""
            p:f f
            r:f_ret f
            10 f
            20 f
            30 f_ret of=1
            """);
        _ = Tool.Good(trace);
        using (SqliteDatabase database = SqliteDatabase.Open(trace + ".db", write: true))
        {
            // The call ends as much later than the event in question, which is the second.
            database.Execute($"UPDATE kt_call SET return_seq = 2 + {later}, entry = 1 + {later}");
        }

        using TraceHistory history = TraceHistory.OpenDatabase(trace + ".db");
        Assert.Equal(open, string.Join(' ', BeforeQuery.OfEvent(history, 1, 2).OpenCalls));
    }

    [Theory]
    [InlineData(1, "0 2, 1 1, 0 1, 2 1")] // counts come in parts, and in no more than four times as many as are held
    [InlineData(2, "0 2, 1 1, 0 1, 2 1, 0 1")]
    [InlineData(3, "0 3, 1 1, 2 1, 0 1")]
    [InlineData(4, "0 4, 1 1, 2 1")]
    public void Counts_that_are_held_have_a_limit(int held, string expected)
    {
        string trace = Write("tallies.mpk", static writer =>
        {
            foreach (int probe in (int[])[0, 0, 1, 0, 2, 0])
            {
                TraceEvent e = new() { ProbeId = probe, Address = 0x1000 };
                _ = writer.WriteEvent(in e, [], []);
            }
        });

        using TraceHistory history = TraceHistory.Open(trace, _folder["held.db"], new ImportOptions { TalliesRemembered = held });

        Assert.Equal(expected, string.Join(", ", Tool.Rows(_folder["held.db"], "SELECT probe || ' ' || events FROM kt_tally ORDER BY rowid")));
    }

    [Theory]
    [InlineData(2, false)]
    [InlineData(3, true)]
    [InlineData(4, true)]
    public void A_trace_of_more_probes_than_are_taken_is_refused(int most, bool isTaken)
    {
        string trace = Write("probes.mpk", static writer =>
        {
            foreach (int id in (int[])[0, 1, 2])
            {
                writer.WriteProbe(new TraceProbe { Id = id, Type = 'p', Name = $"probe{id}", Symbol = "function", Address = 0x1000 });
            }
        });
        void Import() => TraceHistory.Open(trace, _folder["most.db"], new ImportOptions { MostProbes = most }).Dispose();

        if (isTaken)
        {
            Import();
            Assert.Equal(["3"], Tool.Rows(_folder["most.db"], "SELECT count(*) FROM probes"));
        }
        else
        {
            Assert.Equal($"the trace defines more than {most} probes; it is damaged", Assert.Throws<KprobeTraceException>(Import).Message);
        }
    }

    [Fact]
    public void Every_packet_for_perfetto_has_the_number_of_its_run_and_threads_have_theirs()
    {
        string trace = _folder.Trace("""
            p:open do_open name=+0(%si):string
            r:open_ret do_open ret=$retval:s64
            console 5 "a line"
            10 open init-70001 name=/init
            20 open_ret init-70001 ret=3
            30 open sh-42 name=x
            40 open fault sh-42 cr2=0x1000
            50 open_ret sh-42
            60 open cat-43 name=y
            """);
        _ = Tool.Good(trace);
        using (SqliteDatabase database = SqliteDatabase.Open(trace + ".db", write: true))
        {
            string[] tables = ["run", "probe", "argument", "event", "reg", "fault", "call", "place", "symbol", "line", "poke", "tally"];
            database.Execute(string.Concat(tables.Select(static t => $"UPDATE kt_{t} SET run = 70000;")));
        }

        _ = Tool.Good("export", trace + ".db", "--to", "perfetto", "-o", _folder["t.perfetto"]);

        byte[][] packets = [.. Packets(File.ReadAllBytes(_folder["t.perfetto"]))];
        Assert.InRange(packets.Length, 15, 100);
        Assert.All(packets, static p => Assert.True(p.AsSpan().IndexOf<byte>([10 << 3, 0xF0, 0xA2, 0x04]) >= 0)); // 70000, as protobuf writes it
        byte[][] threads = [.. packets.Where(static p => ((string[])["init", "sh", "cat"]).Any(n => p.AsSpan().IndexOf(Encoding.UTF8.GetBytes(n)) >= 0)).Where(static p => p.AsSpan().IndexOf<byte>([1 << 3, 0xF0, 0xA2, 0x04]) >= 0)];
        Assert.Equal(3, threads.Length);
        Assert.Single(threads, static p => p.AsSpan().IndexOf<byte>([2 << 3, 0xF1, 0xA2, 0x04]) >= 0); // 70001
    }

    /// <summary>The packets of a trace, each behind a field's number and its length.</summary>
    private static IEnumerable<byte[]> Packets(byte[] bytes)
    {
        for (int at = 0; at < bytes.Length;)
        {
            Assert.Equal((1 << 3) | 2, bytes[at++]);
            int length = 0;
            for (int shift = 0; ; shift += 7)
            {
                length |= (bytes[at] & 0x7F) << shift;
                if (bytes[at++] < 0x80)
                {
                    break;
                }
            }

            yield return bytes[at..(at + length)];
            at += length;
        }
    }

    private static JsonElement Diff(string a, string b) => JsonDocument.Parse(Tool.Run("diff", a, b, "--format", "json").Output).RootElement;

    private static (string Name, string A, string B)[] Inputs(string a, string b) =>
        [.. Diff(a, b).GetProperty("inputs").EnumerateArray().Select(static i => (i.GetProperty("name").GetString()!, i.GetProperty("a").GetString()!, i.GetProperty("b").GetString()!))];

    private string Write(
        string name, Action<TraceWriter> write, Dictionary<string, string>? options = null, string? sha256 = null, string image = "vmlinuz")
    {
        using TraceWriter writer = TraceWriter.Create(
            _folder[name], new TraceHeader { ImageName = image, ImageSha256 = sha256 ?? new string('0', 64), Options = options ?? [], Producer = name.Length.ToString(CultureInfo.InvariantCulture) });
        write(writer);
        return _folder[name];
    }
}
