using System.Buffers.Binary;
using System.IO.Hashing;
using KprobeTrace.Bench;
using KprobeTrace.Store;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report;

public sealed class BadInputTests : IDisposable
{
    private const string One = "p:f f\n1 f";
    private const string Three = "p:f f\n1 f\n2 f\n3 f";

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Files_that_are_no_traces_are_one_clear_line()
    {
        File.WriteAllBytes(_folder["empty"], []);
        File.WriteAllText(_folder["text"], "hello, this is not a trace at all, but long enough to be looked at\n");
        File.WriteAllBytes(_folder["zeros"], new byte[100_000]);
        foreach (string name in (string[])["empty", "text", "zeros", "missing"])
        {
            foreach (string[] verb in (string[][])[[], ["check"], ["query"], ["events"], ["html"]])
            {
                string[] rest = verb is ["query"] ? ["SELECT 1"] : verb is ["html"] ? ["-o", _folder["x.html"]] : [];
                Assert.Contains(name, Tool.Bad(1, [.. verb, _folder[name], .. rest]), StringComparison.Ordinal);
            }

            Assert.False(File.Exists(_folder[name] + ".db"));
        }
    }

    [Fact]
    public void Check_of_a_history_asks_for_the_trace()
    {
        string trace = _folder.Trace(One);
        _ = Tool.Good(trace);

        Assert.Contains(".db: it is a SQLite database; give the trace itself", Tool.Bad(1, "check", trace + ".db"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\u007fELF\u0002\u0001\u0001\0\0\0\0\0\0\0\0\0\u0002\0\u003e\0", "an x86-64 ELF file; kprobe-record runs it and writes the trace")]
    [InlineData("\u001f\u008b\b\0", "a gzip-compressed file; unpack it")]
    [InlineData("PK\u0003\u0004", "a zip archive; unpack it")]
    [InlineData("070701", "a cpio archive, as an initramfs is; kprobe-report reads traces")]
    [InlineData("some text\n", "a text file; kprobe-report reads traces")]
    [InlineData("\u009b\u00c4\bKPTRACE", "the trace was cut off before its first frame was whole")]
    [InlineData("\u0001\u0002\u0003\u0004", "not a KprobeTrace trace; kprobe-report reads traces")]
    public void A_file_of_another_kind_is_named(string bytes, string said)
    {
        File.WriteAllBytes(_folder["file"], System.Text.Encoding.Latin1.GetBytes(bytes));
        foreach (string[] verb in (string[][])[[], ["check"], ["events"]])
        {
            Assert.Contains(said, Tool.Bad(1, [.. verb, _folder["file"]]), StringComparison.Ordinal);
        }

        Assert.False(File.Exists(_folder["file"] + ".db"));
    }

    [Fact]
    public void Devices_folders_and_pipes_are_named_and_not_waited_for()
    {
        _ = ProgramFactAttribute.Run("mkfifo", _folder["pipe"]);

        foreach (string[] verb in (string[][])[[], ["check"], ["events"]])
        {
            Assert.Contains("is a named pipe", Tool.Bad(1, [.. verb, _folder["pipe"]]), StringComparison.Ordinal);
            Assert.Contains("is a device", Tool.Bad(1, [.. verb, "/dev/zero"]), StringComparison.Ordinal);
            Assert.Contains("is a directory", Tool.Bad(1, [.. verb, "/tmp"]), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_directory_in_the_place_of_the_database_is_named()
    {
        string trace = _folder.Trace(One);
        Directory.CreateDirectory(trace + ".db");

        Assert.Contains("cannot be written: it is a directory; ", Tool.Bad(1, trace), StringComparison.Ordinal);
    }

    [Fact]
    public void A_trace_of_a_later_version_and_a_database_of_another_tool_are_named_as_such()
    {
        string trace = _folder.Trace(One);
        byte[] bytes = File.ReadAllBytes(trace);
        for (int at = 0; (at = bytes.AsSpan(at).IndexOf("KPTRACE"u8) is int next and >= 0 ? at + next : bytes.Length) < bytes.Length; at += 8)
        {
            bytes[at + 7] = 2;
        }

        File.WriteAllBytes(_folder["later.mpk"], bytes);
        byte[] other = new byte[8192];
        "SQLite format 3\0"u8.CopyTo(other);
        File.WriteAllBytes(_folder["other.db"], other);

        Assert.Contains("format version 2", Tool.Bad(1, "check", _folder["later.mpk"]), StringComparison.Ordinal);
        Assert.Contains("format version 2", Tool.Bad(1, _folder["later.mpk"]), StringComparison.Ordinal);
        Assert.False(File.Exists(_folder["later.mpk"] + ".db"));
        Assert.Contains("other.db", Tool.Bad(1, "query", _folder["other.db"], "SELECT 1"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_trace_that_was_cut_off_is_not_called_damaged()
    {
        string trace = _folder.Trace("p:f f\ncut");

        (int exit, string output, string error) = Tool.Run("check", trace);

        Assert.Equal(1, exit);
        Assert.Contains("the trace has no footer: it was cut off", output, StringComparison.Ordinal);
        Assert.DoesNotContain("0 bytes", output, StringComparison.Ordinal);
        Assert.Equal($"kprobe-report: {trace}: no footer, the trace was cut off; all the rest can be imported\n", error);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_header_of_a_later_version_is_refused_by_its_version_although_frames_of_this_one_follow(bool inMarker)
    {
        byte[] bytes = File.ReadAllBytes(_folder.Trace(One));
        Span<byte> head = bytes.AsSpan(0, 59);
        if (inMarker)
        {
            head[10] = 7;
        }
        else
        {
            int at = bytes.AsSpan().IndexOf("version\u0001"u8);
            bytes[at + 7] = 7;
            BinaryPrimitives.WriteUInt32BigEndian(head[45..], Crc32.HashToUInt32(bytes.AsSpan(59, (int)BinaryPrimitives.ReadUInt32BigEndian(head[40..]))));
        }

        BinaryPrimitives.WriteUInt32BigEndian(head[50..], Crc32.HashToUInt32(head[..49]));
        File.WriteAllBytes(_folder["later.mpk"], bytes);

        Assert.Contains("a trace of format version 7, this program reads version 1", Tool.Bad(1, _folder["later.mpk"]), StringComparison.Ordinal);
        Assert.Contains("format version 7", Tool.Bad(1, "check", _folder["later.mpk"]), StringComparison.Ordinal);
        Assert.False(File.Exists(_folder["later.mpk"] + ".db"));
    }

    [Fact]
    public void A_flipped_bit_in_the_first_version_is_damage_and_no_version()
    {
        byte[] bytes = File.ReadAllBytes(_folder.Trace(Three));
        bytes[10] ^= 2;
        File.WriteAllBytes(_folder["flipped.mpk"], bytes);

        Assert.Equal(["3"], Tool.Rows(_folder["flipped.mpk"], "SELECT count(*) FROM events"));
    }

    [Fact]
    public void A_damaged_database_is_one_clear_line_or_imported_again()
    {
        string trace = _folder.Trace(Three);
        _ = Tool.Good(trace);
        byte[] bytes = File.ReadAllBytes(trace + ".db");
        Array.Fill(bytes, (byte)0xA5, 8192, bytes.Length - 8192);
        File.WriteAllBytes(_folder["damaged.db"], bytes);
        File.WriteAllBytes(trace + ".db", bytes);

        _ = Tool.Bad(1, "query", _folder["damaged.db"], "SELECT * FROM events");
        Assert.Contains("Events: 3", Tool.Good(trace), StringComparison.Ordinal);
    }

    [Fact]
    public void A_killed_import_leaves_nothing_that_a_later_one_trips_over()
    {
        string trace = _folder.Trace(One);
        File.WriteAllText(trace + ".db.999999999.importing", "left by a killed process");

        _ = Tool.Good(trace);

        Assert.False(File.Exists(trace + ".db.999999999.importing"));
    }

    [Fact]
    public void A_cancelled_import_leaves_the_old_database()
    {
        string trace = _folder.Trace(One);
        _ = Tool.Good(trace);
        byte[] before = File.ReadAllBytes(trace + ".db");
        _ = _folder.Trace(Three);

        _ = Assert.ThrowsAny<OperationCanceledException>(() => TraceHistory.Open(
            trace, options: new ImportOptions { Cancellation = new CancellationToken(canceled: true) }));

        Assert.Equal(before, File.ReadAllBytes(trace + ".db"));
        Assert.Equal(2, Directory.GetFiles(Path.GetDirectoryName(trace)!).Count(f => !f.EndsWith(".old", StringComparison.Ordinal)));
    }

    [TinyDiskFact]
    public void A_full_disk_is_one_clear_line_and_loses_nothing()
    {
        using TinyDisk disk = new(_folder["disk"], "2m");
        string trace = _folder["t.mpk"];
        SyntheticTrace.Write(trace, 60_000);
        string target = Path.Combine(_folder["disk"], "t.db");
        _ = Tool.Good("query", _folder.Trace(Three, "three.mpk"), "SELECT 1", "--db", target);
        byte[] before = File.ReadAllBytes(target);

        (int exit, _, string error) = Tool.Run(trace, "--db", target);
        Assert.Equal(1, exit);
        Assert.Contains("the disk is full; nothing was changed", error, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(target));
        Assert.Contains("the disk is full", Tool.Bad(1, "add", target, trace), StringComparison.Ordinal);
        Assert.Equal(["3"], Tool.Rows(target, "SELECT count(*) FROM events"));
        foreach (string format in (string[])["csv", "jsonl", "perfetto", "ctf", "parquet", "clickhouse"])
        {
            Assert.Contains("the disk is full", Tool.Bad(1, "export", trace, "--to", format, "-o", Path.Combine(_folder["disk"], "x")), StringComparison.Ordinal);
        }

        Assert.Contains("the disk is full", Tool.Bad(1, "html", trace, "-o", Path.Combine(_folder["disk"], "x")), StringComparison.Ordinal);
        Assert.Equal([target], Directory.GetFileSystemEntries(_folder["disk"]));
    }

    [TinyDiskTheory]
    [InlineData("8k")]
    [InlineData("16k")]
    [InlineData("64k")]
    public void A_disk_that_is_full_at_once_is_the_same_plain_sentence_in_every_format(string size)
    {
        using TinyDisk disk = new(_folder["disk"], size);
        string trace = _folder["t.mpk"];
        SyntheticTrace.Write(trace, 4000);
        string target = Path.Combine(_folder["disk"], "x");
        foreach (string format in (string[])["csv", "jsonl", "perfetto", "ctf", "parquet", "clickhouse"])
        {
            Assert.Equal($"kprobe-report: {target}: the disk is full; nothing was written", Tool.Bad(1, "export", trace, "--to", format, "-o", target));
        }

        Assert.Equal($"kprobe-report: {target}: the disk is full; nothing was written", Tool.Bad(1, "html", trace, "-o", target));
        Assert.StartsWith($"kprobe-report: {target}: the disk is full; nothing was changed.", Tool.Bad(1, trace, "--db", target), StringComparison.Ordinal);
        Assert.StartsWith($"kprobe-report: {target}: the disk is full; nothing was changed.", Tool.Bad(1, "add", target, trace), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_folder["disk"]));
    }

    [Fact]
    public void A_flipped_byte_loses_at_most_the_chunk_it_is_in()
    {
        string trace = _folder["whole.mpk"];
        SyntheticTrace.Write(trace, 4000, seed: 3, eventsPerChunk: 250);
        byte[] bytes = File.ReadAllBytes(trace);
        bytes[bytes.Length / 2] ^= 0x40;
        File.WriteAllBytes(trace, bytes);

        TraceCheckReport report = TraceReader.Check(trace);
        Assert.False(report.Whole);
        Assert.True(report.Events >= 3500);
        Assert.Equal([report.Events.ToString(null, null)], Tool.Rows(trace, "SELECT count(*) FROM events"));
        Assert.Equal(["0"], Tool.Rows(trace, "SELECT complete FROM runs"));
        Assert.NotEqual(["0"], Tool.Rows(trace, "SELECT count(*) FROM damages"));
    }
}
