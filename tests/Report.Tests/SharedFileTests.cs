using System.Globalization;
using KprobeTrace.Bench;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>Traces and databases that others write, replace or lock meanwhile, and awkward places for them.</summary>
public sealed class SharedFileTests : IDisposable
{
    private const string One = "p:f f\n1 f";
    private const string Two = "p:f f\n1 f\n2 f";

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_trace_behind_a_symbolic_link_is_imported_again_when_it_changes()
    {
        string trace = _folder.Trace(Two);
        _ = File.CreateSymbolicLink(_folder["link"], "t.mpk");
        Assert.Equal(["2"], Tool.Rows(_folder["link"], "SELECT count(*) FROM events"));

        _ = _folder.Trace(One);

        Assert.Equal(["1"], Tool.Rows(_folder["link"], "SELECT count(*) FROM events"));
        Assert.True(File.Exists(_folder["link"] + ".db"));
        Assert.False(File.Exists(trace + ".db"));
    }

    [Fact]
    public void Results_go_to_the_end_of_a_symbolic_link()
    {
        string trace = _folder.Trace(One);
        _ = Directory.CreateDirectory(_folder["disk"]);
        foreach (string name in (string[])["t.db", "page.html", "rows.csv"])
        {
            _ = File.CreateSymbolicLink(_folder[name], Path.Combine(_folder["disk"], name));
        }

        _ = Tool.Good(trace, "--db", _folder["t.db"]);
        _ = Tool.Good("html", _folder["t.db"], "-o", _folder["page.html"]);
        _ = Tool.Good("export", _folder["t.db"], "--to", "csv", "-o", _folder["rows.csv"]);

        foreach (string name in (string[])["t.db", "page.html", "rows.csv"])
        {
            Assert.NotNull(new FileInfo(_folder[name]).LinkTarget);
            Assert.True(new FileInfo(Path.Combine(_folder["disk"], name)).Length > 0);
        }

        _ = File.CreateSymbolicLink(_folder["circle"], _folder["circle"]);
        Assert.Contains("leads nowhere", Tool.Bad(1, "html", trace, "-o", _folder["circle"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("query", "SELECT 1")]
    [InlineData("events")]
    [InlineData("check")]
    [InlineData()]
    public void A_circle_of_links_is_told_in_our_words(params string[] verb)
    {
        _ = File.CreateSymbolicLink(_folder["circle"], _folder["circle"]);

        string error = Tool.Bad(1, [.. verb.Take(1), _folder["circle"], .. verb.Skip(1)]);

        Assert.Matches("circle: cannot read the trace( or database)?: its symbolic links lead in a circle$", error);
    }

    [Fact]
    public void A_trace_overwritten_while_it_is_imported_is_imported_again()
    {
        string trace = _folder["t.mpk"];
        SyntheticTrace.Write(trace, 4000, seed: 3, eventsPerChunk: 250);
        byte[] bytes = File.ReadAllBytes(trace);
        List<string> remarks = [];

        // Same length, and in a part that was read already.
        Import(trace, remarks, () =>
        {
            bytes[200] ^= 0x40;
            File.WriteAllBytes(trace, bytes);
        });

        Assert.Contains("is still being written", Assert.Single(remarks), StringComparison.Ordinal);
        (int exit, string output, string error) = Tool.Run("query", trace, "SELECT complete FROM runs", "--format", "csv");
        Assert.Equal((0, "complete\r\n0\r\n"), (exit, output));
        Assert.Contains("has changed since it was imported", error, StringComparison.Ordinal);
        Assert.Equal("", Tool.Run(trace).Error);
    }

    [Fact]
    public void A_trace_that_grows_while_it_is_imported_gives_what_was_there_and_then_the_rest()
    {
        SyntheticTrace.Write(_folder["whole.mpk"], 4000, seed: 3, eventsPerChunk: 250);
        byte[] bytes = File.ReadAllBytes(_folder["whole.mpk"]);
        string trace = _folder["t.mpk"];
        File.WriteAllBytes(trace, bytes[..(bytes.Length / 2)]);
        List<string> remarks = [];

        Import(trace, remarks, () =>
        {
            using FileStream more = new(trace, FileMode.Append);
            more.Write(bytes, bytes.Length / 2, bytes.Length - (bytes.Length / 2));
        });

        Assert.Contains("is still being written", Assert.Single(remarks), StringComparison.Ordinal);
        Assert.Equal(["4000,1"], Tool.Rows(trace, "SELECT (SELECT count(*) FROM events), complete FROM runs"));
    }

    [Fact]
    public void A_trace_replaced_while_it_is_imported_gives_the_old_one_whole_and_then_the_new_one()
    {
        string trace = _folder["t.mpk"];
        SyntheticTrace.Write(trace, 4000, seed: 3, eventsPerChunk: 250);
        string other = _folder.Trace(One, "other.mpk");
        List<string> remarks = [];

        Import(trace, remarks, () => File.Move(other, trace, overwrite: true));

        Assert.Empty(remarks);
        using (SqliteDatabase database = SqliteDatabase.Open(trace + ".db"))
        {
            Assert.Equal(4000, database.ScalarInt64("SELECT count(*) FROM events"));
            Assert.Equal(1, database.ScalarInt64("SELECT complete FROM runs"));
        }

        Assert.Equal(["1"], Tool.Rows(trace, "SELECT count(*) FROM events"));
    }

    [Fact]
    public void Runs_added_to_one_database_at_the_same_time_are_all_there()
    {
        string[] traces = [_folder["a.mpk"], _folder["b.mpk"], _folder["c.mpk"]];
        for (int i = 0; i < traces.Length; i++)
        {
            SyntheticTrace.Write(traces[i], 1000 * (i + 1), seed: (ulong)i + 1, eventsPerChunk: 250);
        }

        // Each is added while the one before it is on its way: into a database that does not exist yet, and into one that does.
        string database = _folder["fleet.db"];
        (long first, _) = TraceHistory.Add(database, traces[0], Once(() => Assert.Equal((1, false), TraceHistory.Add(database, traces[1]))));
        (long second, _) = TraceHistory.Add(_folder["other.db"], traces[0]);
        (long third, _) = TraceHistory.Add(database, traces[2], Once(() => TraceHistory.Add(database, _folder.Trace(One))));

        Assert.Equal((2, 1, 4), (first, second, third));
        Assert.Equal(
            ["1,2000", "2,1000", "3,1", "4,3000"],
            Tool.Rows(database, "SELECT run, count(*) FROM events GROUP BY run ORDER BY run"));
        Assert.Equal(["ok"], Tool.Rows(database, "PRAGMA integrity_check"));
        Assert.Equal(
            Tool.Rows(_folder["other.db"], "SELECT name, comm, symbol, count(*) FROM events GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"),
            Tool.Rows(database, "SELECT name, comm, symbol, count(*) FROM events WHERE run = 2 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"));
    }

    [Fact]
    public void A_trace_that_is_being_written_is_not_added_to_a_history()
    {
        string trace = _folder["t.mpk"];
        SyntheticTrace.Write(trace, 4000, seed: 3, eventsPerChunk: 250);

        KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => TraceHistory.Add(
            _folder["fleet.db"], trace, Once(() => File.AppendAllText(trace, "more"))));

        Assert.Contains("add it when its recording has ended", error.Message, StringComparison.Ordinal);
        Assert.Equal([trace], Directory.GetFiles(_folder[""]));
    }

    [Fact]
    public void A_locked_database_is_waited_for_and_then_named()
    {
        string trace = _folder.Trace(One);
        _ = Tool.Good(trace);
        using SqliteDatabase other = SqliteDatabase.Open(trace + ".db", write: true);
        other.Execute("BEGIN EXCLUSIVE");

        string error = Tool.Bad(1, "query", trace + ".db", "SELECT 1");

        // A thread of its own: a timer comes when other tests leave the pool a thread, which may be after the five seconds of patience.
        Thread release = new(() =>
        {
            Thread.Sleep(500);
            other.Execute("COMMIT");
        });
        release.Start();
        string[] rows = Tool.Rows(trace + ".db", "SELECT count(*) FROM events");
        release.Join();

        Assert.EndsWith("t.mpk.db: another program has locked it; try again when that has finished", error, StringComparison.Ordinal);
        Assert.Equal(["1"], rows);
    }

    [Fact]
    public void What_a_killed_writer_left_half_done_is_undone()
    {
        _ = Tool.Good("add", _folder["t.db"], _folder.Trace("image vmlinuz-test\n" + Two));
        _ = Directory.CreateDirectory(_folder["after"]);
        string copy = Path.Combine(_folder["after"], "t.db");
        using (SqliteDatabase writer = SqliteDatabase.Open(_folder["t.db"], write: true))
        {
            // With one page of cache the changed pages reach the file long before the end of the transaction.
            writer.Execute("PRAGMA cache_size = 1; BEGIN; UPDATE kt_run SET image = hex(randomblob(20000)); DELETE FROM kt_event; DELETE FROM kt_place");
            File.Copy(_folder["t.db"], copy);
            File.Copy(_folder["t.db-journal"], copy + "-journal");
        }

        Assert.Equal(["2,vmlinuz-test"], Tool.Rows(copy, "SELECT (SELECT count(*) FROM events), image FROM runs"));
        Assert.Equal(["ok"], Tool.Rows(copy, "PRAGMA integrity_check"));
    }

    [TinyDiskFact]
    public void A_read_only_folder_gives_answers_and_takes_nothing()
    {
        using TinyDisk disk = new(_folder["disk"], "8m");
        string trace = Path.Combine(_folder["disk"], "t.mpk");
        string known = Path.Combine(_folder["disk"], "known.mpk");
        File.Copy(_folder.Trace(One), trace);
        File.Copy(trace, known);
        _ = Tool.Good(known);
        disk.MakeReadOnly();

        Assert.EndsWith(
            "t.mpk.db: cannot be written: it or its folder may not be written; choose another place with --db",
            Tool.Bad(1, "query", trace, "SELECT 1"),
            StringComparison.Ordinal);
        Assert.Equal(["1"], Tool.Rows(known, "SELECT count(*) FROM events"));
        Assert.Equal(["1"], Tool.Rows(known + ".db", "SELECT count(*) FROM events"));
        Assert.Contains("whole", Tool.Good("check", trace), StringComparison.Ordinal);
        Assert.Contains("Events: 1", Tool.Good(trace, "--db", _folder["elsewhere.db"]), StringComparison.Ordinal);
        Assert.Contains("may not be written", Tool.Bad(1, "add", known + ".db", _folder.Trace(Two, "b.mpk")), StringComparison.Ordinal);
        Assert.Contains("name another place with -o", Tool.Bad(1, "html", known, "-o", Path.Combine(_folder["disk"], "x.html")), StringComparison.Ordinal);
        Assert.Contains("name another place with -o", Tool.Bad(1, "export", known, "--to", "ctf", "-o", Path.Combine(_folder["disk"], "x")), StringComparison.Ordinal);
    }

    [Fact]
    public void Names_of_255_bytes_with_newlines_and_quotes_are_names_as_others()
    {
        string longest = new string('n', 200) + "\n\t'\"; DROP é\\%s$(x)";
        longest += new string('m', 255 - 4 - System.Text.Encoding.UTF8.GetByteCount(longest)) + ".mpk";
        string trace = _folder[longest];
        File.Move(_folder.Trace(One), trace);

        string refused = Tool.Bad(1, trace);
        Assert.Contains("its name is longer than the 255 bytes that a file's name may have; choose another place with --db", refused, StringComparison.Ordinal);
        Assert.Contains("\\n\\t'\"; DROP é", refused, StringComparison.Ordinal);
        string database = _folder[longest[..^4] + ".sql"];
        Assert.Contains("Events: 1", Tool.Good(trace, "--db", database), StringComparison.Ordinal);
        Assert.Equal(["1"], Tool.Rows(database, "SELECT count(*) FROM events"));
        Assert.Contains("run 2", Tool.Good("add", _folder["\n'x.db"], _folder.Trace(One, "a\n.mpk"), _folder.Trace(Two, "b'.mpk")), StringComparison.Ordinal);
        _ = Tool.Good("html", database, "-o", _folder[longest[..^5] + ".html"]);
        _ = Tool.Good("export", database, "--to", "csv", "-o", _folder[longest[..^4] + ".csv"]);
        _ = Tool.Good("export", database, "--to", "ctf", "-o", _folder[longest[..^4] + ".ctf"]);
        Assert.Contains("longer than the 255 bytes", Tool.Bad(1, "html", database, "-o", _folder["x" + longest]), StringComparison.Ordinal);
        Assert.DoesNotContain(Directory.GetFileSystemEntries(_folder[""]), static name => name.EndsWith(".partial", StringComparison.Ordinal) || name.EndsWith(".importing", StringComparison.Ordinal));
    }

    [Fact]
    public void Results_never_replace_what_they_are_made_of()
    {
        string trace = _folder.Trace(One);
        byte[] before = File.ReadAllBytes(trace);
        _ = File.CreateSymbolicLink(_folder["link"], trace);

        Assert.Contains("is the source; name another file with -o", Tool.Bad(1, "html", trace, "-o", trace), StringComparison.Ordinal);
        Assert.Contains("is the source; name another file with -o", Tool.Bad(1, "html", trace, "-o", _folder["link"]), StringComparison.Ordinal);
        Assert.Contains("is the database; name another file with -o", Tool.Bad(1, "export", trace, "--to", "csv", "-o", trace + ".db"), StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(trace));
        Assert.Equal(["1"], Tool.Rows(trace + ".db", "SELECT count(*) FROM events"));
    }

    [Theory]
    [InlineData("events")]
    [InlineData("latency")]
    [InlineData("stacks", "--folded")]
    [InlineData("hist", "--key", "comm")]
    [InlineData("hist", "--key", "di", "--of", "regs", "--log2")]
    [InlineData("before", "--seq", "5")]
    [InlineData("who", "17")]
    [InlineData("check")]
    [InlineData("query", "SELECT 1.5, 1234567, -2, 1e300, time_ns / 1e9 FROM events")]
    [InlineData("query", "SELECT 1.5, 1234567, -2 FROM events", "--format", "csv")]
    [InlineData("query", "SELECT 1.5, 1234567, -2 FROM events", "--format", "json")]
    [InlineData("summary")]
    [InlineData("html")]
    [InlineData("csv")]
    public void Results_are_the_same_in_every_locale(string verb, params string[] options)
    {
        string trace = _folder["t.mpk"];
        SyntheticTrace.Write(trace, 3000, seed: 5);
        _ = Tool.Good(trace);
        string expected = Result();
        CultureInfo culture = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo odd = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            odd.NumberFormat.NumberDecimalSeparator = ",";
            odd.NumberFormat.NumberGroupSeparator = "’";
            odd.NumberFormat.NegativeSign = "−";
            odd.NumberFormat.NumberGroupSizes = [2, 3];
            CultureInfo.CurrentCulture = odd;

            Assert.Equal(expected, Result());
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
        }

        string Result() => verb switch
        {
            "summary" => Tool.Good(trace),
            "html" => Written(["html", trace]),
            "csv" => Written(["export", trace, "--to", "csv"]),
            _ => Tool.Good([verb, trace, .. options]),
        };

        string Written(string[] command)
        {
            _ = Tool.Good([.. command, "-o", _folder["out"]]);
            return File.ReadAllText(_folder["out"]);
        }
    }

    /// <summary>Imports a trace to which something happens once its first chunk is read.</summary>
    private static void Import(string trace, List<string> remarks, Action happening) =>
        TraceHistory.Open(trace, options: Once(happening), remark: remarks.Add).Dispose();

    private static ImportOptions Once(Action happening)
    {
        bool done = false;
        return new ImportOptions
        {
            Progress = _ =>
            {
                if (!done)
                {
                    done = true;
                    happening();
                }
            },
        };
    }
}
