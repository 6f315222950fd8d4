using KprobeTrace.Bench;
using Xunit;

namespace KprobeTrace.Tests.Report;

public sealed class ImportTests : IDisposable
{
    // A database written again gets the time of now, which no tick of a clock can make equal to this.
    private static readonly DateTime _longAgo = new(2020, 2, 2, 2, 2, 2, DateTimeKind.Utc);

    /// <summary>A call of one task, and two of another, the one in the other.</summary>
    private const string Calls = """
        p:read vfs_read
        r:read_ret vfs_read
        p:seek vfs_seek
        r:seek_ret vfs_seek
        10 seek init-1 caller=sys_seek+4
        75 seek_ret init-1 caller=sys_seek+4 %ax=4096
        80 read cat-9 caller=sys_read+0x10
        90 read cat-9 caller=do_splice+0x20
        95 read_ret cat-9 caller=do_splice+0x20 %ax=-5
        180 read_ret cat-9 caller=sys_read+0x10 %ax=11
        """;

    private const string One = "p:f f\n1 f";

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_view_has_the_documented_columns()
    {
        string trace = _folder.Trace("""
            p:open do_sys_openat2 dfd=%di:s32
            1 open
            """);
        Dictionary<string, string> views = new()
        {
            ["runs"] = "run,image,image_sha256,kernel,command_line,memory,instructions,time_ns,ended,complete",
            ["probes"] = "run,probe,grp,name,type,symbol,offset,address,module,definition,hits,nmissed,state",
            ["events"] = "run,seq,time_ns,insn,cpu,kind,probe,name,symbol,offset,address,pid,comm,args",
            ["regs"] = "run,seq,ax,bx,cx,dx,si,di,bp,sp,r8,r9,r10,r11,r12,r13,r14,r15,ip,flags,cr3",
            ["faults"] = "run,seq,vector,error_code,cr2,handled,time_ns,insn,cpu,kind,probe,name,symbol,offset,address,pid,comm,args",
            ["calls"] = "run,name,symbol,pid,comm,entry_seq,return_seq,time_ns,duration_ns,retval,caller",
            ["symbols"] = "run,address,size,name,module,kind",
            ["console"] = "run,time_ns,insn,line",
            ["text_pokes"] = "run,time_ns,insn,address,old,new,reason",
            ["open"] = "run,seq,time_ns,insn,cpu,kind,probe,name,symbol,offset,address,pid,comm,args,dfd",
        };

        foreach ((string view, string columns) in views)
        {
            string[] there = Tool.Good("query", trace, $"SELECT * FROM {view}", "--format", "csv").Split("\r\n")[0].Split(',');
            foreach (string column in columns.Split(','))
            {
                Assert.Contains(column, there);
            }
        }
    }

    [Fact]
    public void Calls_are_paired_with_nesting()
    {
        string[] calls = Tool.Rows(
            _folder.Trace(Calls),
            "SELECT name, symbol, pid, comm, entry_seq, return_seq, time_ns, duration_ns, retval, caller FROM calls ORDER BY return_seq");

        Assert.Equal(
            [
                "seek_ret,vfs_seek,1,init,1,2,10,65,4096,sys_seek+0x4",
                "read_ret,vfs_read,9,cat,4,5,90,5,-5,do_splice+0x20",
                "read_ret,vfs_read,9,cat,3,6,80,100,11,sys_read+0x10",
            ],
            calls);
    }

    [Fact]
    public void Calls_are_paired_by_task_and_function_where_the_trace_does_not_say()
    {
        string trace = _folder.Trace(Calls.Replace("%ax", "of=- %ax", StringComparison.Ordinal));

        Assert.Equal(
            ["1,2,65", "4,5,5", "3,6,100"],
            Tool.Rows(trace, "SELECT entry_seq, return_seq, duration_ns FROM calls ORDER BY return_seq"));
    }

    [Fact]
    public void Faults_regs_console_and_pokes_are_there()
    {
        string trace = _folder.Trace("""
            p:copy copy_from_user
            poke 10 copy_from_user 0f1f CC90 guest
            console 20 "Linux version 6.1.0-test"
            30 copy sh-4 %di=17 insn=2000
            31 copy fault sh-4 vector=13 error=0xfff8 handled=1 insn=2001
            40 copy sh-4 %r8=-1 cpu=3
            41 copy fault sh-4 vector=14 error=2 cr2=0x7fff0000
            end halt time=77 insn=99 code=0
            """);

        Assert.Equal(
            ["2,13,65528,0,1,fault,copy", "4,14,2,2147418112,0,fault,copy"],
            Tool.Rows(trace, "SELECT seq, vector, error_code, cr2, handled, kind, name FROM faults"));
        Assert.Equal(["1,17"], Tool.Rows(trace, "SELECT seq, di FROM regs WHERE di <> 0"));
        Assert.Equal(["3,-1"], Tool.Rows(trace, "SELECT seq, r8 FROM regs WHERE r8 <> 0"));
        Assert.Equal(["1,30,2000,0", "2,31,2001,0"], Tool.Rows(trace, "SELECT seq, time_ns, insn, cpu FROM events WHERE seq < 3"));
        Assert.Equal(["3,3"], Tool.Rows(trace, "SELECT seq, cpu FROM events WHERE cpu <> 0"));
        Assert.Equal(["20,Linux version 6.1.0-test"], Tool.Rows(trace, "SELECT time_ns, line FROM console"));
        Assert.Equal(["10,0F1F,CC90,guest"], Tool.Rows(trace, "SELECT time_ns, hex(old), hex(new), reason FROM text_pokes"));
        Assert.Equal(["halt,1,4,77,99"], Tool.Rows(trace, "SELECT ended, complete, events, time_ns, instructions FROM runs"));
    }

    [Fact]
    public void Arguments_are_columns_of_the_events_view_and_keep_awkward_text()
    {
        string trace = _folder.Trace("""
            p:open do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring
            1 open dfd=-100 name=/etc/passwd
            2 open dfd=3 name="a,\"b\"\n<script>'x'"
            """);

        Assert.Equal("-100,/etc/passwd", Tool.Rows(trace, "SELECT dfd, arg_name FROM open")[0]);
        Assert.Equal(
            ["2,3"],
            Tool.Rows(trace, "SELECT seq, dfd FROM open WHERE arg_name = 'a,\"b\"' || char(10) || '<script>''x'''"));
    }

    [Fact]
    public void An_event_named_as_a_view_gets_a_view_of_another_name()
    {
        string trace = _folder.Trace("""
            p:events f
            p:g g
            1 g
            """);

        Assert.Equal(["events_event"], Tool.Rows(trace, "SELECT view FROM probes WHERE name = 'events'"));
        Assert.Equal(["0"], Tool.Rows(trace, "SELECT count(*) FROM events_event"));
    }

    [Fact]
    public void A_second_report_does_not_import_again_and_a_changed_trace_does()
    {
        string trace = _folder.Trace(One);
        _ = Tool.Good(trace);
        File.SetLastWriteTimeUtc(trace + ".db", _longAgo);
        _ = Tool.Good(trace);
        Assert.Equal(_longAgo, File.GetLastWriteTimeUtc(trace + ".db"));

        _ = _folder.Trace(One + "\n2 f");
        (int exit, _, string error) = Tool.Run(trace);

        Assert.Equal(0, exit);
        Assert.Contains("has changed", error, StringComparison.Ordinal);
        Assert.Equal(["2"], Tool.Rows(trace, "SELECT count(*) FROM events"));
    }

    [Fact]
    public void A_copied_trace_with_another_time_is_recognised_by_its_hash()
    {
        string trace = _folder.Trace(One);
        _ = Tool.Good(trace);
        File.SetLastWriteTimeUtc(trace + ".db", _longAgo);
        File.SetLastWriteTimeUtc(trace, _longAgo);

        (_, _, string error) = Tool.Run(trace);

        Assert.Equal("", error);
        Assert.Equal(_longAgo, File.GetLastWriteTimeUtc(trace + ".db"));
    }

    [Fact]
    public void An_older_schema_is_imported_again_with_a_word_about_it()
    {
        string trace = _folder.Trace(One);
        _ = Tool.Good(trace);
        SetVersion(trace + ".db", 999);

        (int exit, _, string error) = Tool.Run("query", trace, "SELECT 1");

        Assert.Equal(0, exit);
        Assert.Contains("schema 999", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_database_of_another_version_is_refused_where_there_is_no_trace()
    {
        string trace = _folder.Trace(One);
        _ = Tool.Good(trace);
        SetVersion(trace + ".db", 999);

        Assert.Contains("newer kprobe-report", Tool.Bad(1, "query", trace + ".db", "SELECT 1"), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_tools_database_is_neither_read_nor_overwritten()
    {
        string trace = _folder.Trace(One);
        using (Store.Sqlite.SqliteDatabase other = Store.Sqlite.SqliteDatabase.Open(trace + ".db", create: true))
        {
            other.Execute("CREATE TABLE precious(a)");
        }

        Assert.Contains("another tool's database", Tool.Bad(1, trace), StringComparison.Ordinal);
        Assert.Contains("no history", Tool.Bad(1, trace + ".db"), StringComparison.Ordinal);
    }

    [Fact]
    public void Several_traces_become_runs_of_one_history()
    {
        string first = _folder.Trace(Calls, "a.mpk");
        string second = _folder.Trace("""
            p:write vfs_write
            r:write_ret vfs_write
            10 write dd-3
            110 write_ret dd-3
            120 write dd-3
            """, "b.mpk");
        string database = _folder["fleet.db"];

        string output = Tool.Good("add", database, first, second, first);

        Assert.Contains("b.mpk: run 2", output, StringComparison.Ordinal);
        Assert.Contains("was there already", output, StringComparison.Ordinal);
        Assert.Equal(["1,6", "2,3"], Tool.Rows(database, "SELECT run, count(*) FROM events GROUP BY run"));
        Assert.Equal(["1,cat,1", "2,dd,1"], Tool.Rows(database, "SELECT run, comm, count(*) FROM calls WHERE duration_ns = 100 GROUP BY run, comm"));
        Assert.Equal(["ok"], Tool.Rows(database, "PRAGMA integrity_check"));
    }

    [Fact]
    public void A_large_trace_gives_a_sound_database_that_agrees_with_the_trace()
    {
        string trace = _folder["large.mpk"];
        SyntheticTrace.Write(trace, 60_000, seed: 7);

        Assert.Equal(["ok"], Tool.Rows(trace, "PRAGMA integrity_check"));
        Assert.Equal(["60000,1,60000"], Tool.Rows(trace, "SELECT count(*), min(seq), max(seq) FROM events"));
        Assert.Equal(["0"], Tool.Rows(trace, """
            SELECT count(*) FROM probes p
            WHERE hits <> (SELECT count(*) FROM hits h WHERE h.run = p.run AND h.probe = p.probe)
            """));
        Assert.Equal(["0"], Tool.Rows(trace, "SELECT count(*) FROM calls WHERE duration_ns <= 0 OR entry_seq IS NULL"));
        Assert.Equal(
            Tool.Rows(trace, "SELECT name, kind, comm, count(*) FROM events GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"),
            Tool.Rows(trace, "SELECT name, kind, comm, sum(events) FROM counts GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"));
    }

    [Fact]
    public void Two_imports_of_one_trace_are_the_same_but_for_the_time_of_the_file()
    {
        string trace = _folder.Trace(Calls + """

            p:open do_sys_openat2 name=+0(%si):ustring
            190 open sh-4 name=/etc/passwd
            191 open fault sh-4 cr2=0x1000
            195 open sh-4 name=? stack=do_sys_openat2,ksys_open+8
            console 3 "Linux version 6.1.0"
            poke 5 vfs_read 55 CC arm
            note 9 miss seek 2 "no free instance"
            """);
        _ = Tool.Good(trace, "--db", _folder["1.db"]);
        _ = Tool.Good(trace, "--db", _folder["2.db"]);

        Assert.Equal(File.ReadAllBytes(_folder["1.db"]), File.ReadAllBytes(_folder["2.db"]));
    }

    [Theory]
    [InlineData("events")]
    [InlineData("export --to perfetto -o OUT")]
    [InlineData("export --to ctf -o OUT")]
    public void Event_of_a_probe_that_another_program_has_taken_out_is_said_in_a_line(string line)
    {
        string trace = _folder.Trace("""
            p:open do_sys_openat2
            190 open sh-4
            """);
        _ = Tool.Good(trace, "--db", _folder["changed.db"]);
        using (Store.Sqlite.SqliteDatabase database = Store.Sqlite.SqliteDatabase.Open(_folder["changed.db"], write: true))
        {
            database.Execute("UPDATE kt_event SET probe = 77");
        }

        string[] words = line.Replace("OUT", _folder["out"], StringComparison.Ordinal).Split(' ');

        Assert.Equal(
            "kprobe-report: event 1 is of probe 77, which the history does not have: it was changed by another program; import its trace again",
            Tool.Bad(1, [words[0], _folder["changed.db"], .. words[1..]]));
    }

    [Fact]
    public void Database_with_texts_that_are_no_UTF8_is_refused_in_a_line()
    {
        using (Store.Sqlite.SqliteDatabase database = Store.Sqlite.SqliteDatabase.Open(_folder["wide.db"], write: true, create: true))
        {
            database.Execute($"PRAGMA encoding = 'UTF-16le'; CREATE TABLE kt_event (seq); PRAGMA application_id = {Store.Schema.ApplicationId}; PRAGMA user_version = {Store.Schema.Version}");
        }

        Assert.Equal(
            $"kprobe-report: {_folder["wide.db"]}: its texts are not UTF-8, and kprobe-report writes no others; import its traces again",
            Tool.Bad(1, "events", _folder["wide.db"]));
    }

    private static void SetVersion(string path, int version)
    {
        using Store.Sqlite.SqliteDatabase database = Store.Sqlite.SqliteDatabase.Open(path, write: true);
        database.Execute($"PRAGMA user_version = {version}");
    }
}
