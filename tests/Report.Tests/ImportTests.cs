using KprobeTrace.Bench;
using Xunit;

namespace KprobeTrace.Tests.Report;

public sealed class ImportTests : IDisposable
{
    // A database written again gets the time of now, which no tick of a clock can make equal to this.
    private static readonly DateTime _longAgo = new(2020, 2, 2, 2, 2, 2, DateTimeKind.Utc);

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_view_has_the_documented_columns()
    {
        string trace = _folder.Small();
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
            _folder.Small(),
            "SELECT name, symbol, pid, comm, entry_seq, return_seq, time_ns, duration_ns, retval, caller FROM calls ORDER BY return_seq");

        Assert.Equal(
            [
                "fork_ret,kernel_clone,1,init,1,2,100,150,42,ksys_caller+0x10",
                "open_ret,do_sys_openat2,42,sh,4,5,340,40,3,ksys_caller+0x10",
                "open_ret,do_sys_openat2,42,sh,3,6,300,200,4,ksys_caller+0x10",
            ],
            calls);
    }

    [Fact]
    public void Calls_are_paired_by_task_and_function_where_the_trace_does_not_say()
    {
        string trace = _folder.Small(change: static entries =>
        {
            for (int i = 0; i < entries.Count; i++)
            {
                entries[i] = entries[i] with { EntrySeq = 0, EntryTime = 0 };
            }
        });

        Assert.Equal(
            ["1,2,150", "4,5,40", "3,6,200"],
            Tool.Rows(trace, "SELECT entry_seq, return_seq, duration_ns FROM calls ORDER BY return_seq"));
    }

    [Fact]
    public void Faults_regs_console_and_pokes_are_there()
    {
        string trace = _folder.Small();

        Assert.Equal(["8,14,2,2147418112,0,fault,fork"], Tool.Rows(trace, "SELECT seq, vector, error_code, cr2, handled, kind, name FROM faults"));
        Assert.Equal(["1,17", "7,17"], Tool.Rows(trace, "SELECT seq, di FROM regs WHERE di <> 0"));
        Assert.Equal(["50,Linux version 6.1.0-test"], Tool.Rows(trace, "SELECT time_ns, line FROM console"));
        Assert.Equal(["55,CC,arm"], Tool.Rows(trace, "SELECT hex(old), hex(new), reason FROM text_pokes"));
        Assert.Equal(["poweroff,1,9"], Tool.Rows(trace, "SELECT ended, complete, events FROM runs"));
    }

    [Fact]
    public void Arguments_are_columns_of_the_events_view_and_keep_awkward_text()
    {
        string trace = _folder.Small();

        Assert.Equal("-100,/etc/passwd", Tool.Rows(trace, "SELECT dfd, arg_name FROM open")[0]);
        Assert.Equal(
            ["2"],
            Tool.Rows(trace, "SELECT seq - 2 FROM open WHERE arg_name = 'a,\"b\"' || char(10) || '<script>''x'''"));
    }

    [Fact]
    public void An_event_named_as_a_view_gets_a_view_of_another_name()
    {
        string trace = _folder.Small();

        Assert.Equal(["events_event"], Tool.Rows(trace, "SELECT view FROM probes WHERE name = 'events'"));
        Assert.Equal(["0"], Tool.Rows(trace, "SELECT count(*) FROM events_event"));
    }

    [Fact]
    public void A_second_report_does_not_import_again_and_a_changed_trace_does()
    {
        string trace = _folder.Small();
        _ = Tool.Good(trace);
        File.SetLastWriteTimeUtc(trace + ".db", _longAgo);
        _ = Tool.Good(trace);
        Assert.Equal(_longAgo, File.GetLastWriteTimeUtc(trace + ".db"));

        _ = _folder.Small(change: static entries => entries.RemoveAt(8));
        (int exit, _, string error) = Tool.Run(trace);

        Assert.Equal(0, exit);
        Assert.Contains("has changed", error, StringComparison.Ordinal);
        Assert.Equal(["8"], Tool.Rows(trace, "SELECT count(*) FROM events"));
    }

    [Fact]
    public void A_copied_trace_with_another_time_is_recognised_by_its_hash()
    {
        string trace = _folder.Small();
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
        string trace = _folder.Small();
        _ = Tool.Good(trace);
        SetVersion(trace + ".db", 999);

        (int exit, _, string error) = Tool.Run("query", trace, "SELECT 1");

        Assert.Equal(0, exit);
        Assert.Contains("schema 999", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_database_of_another_version_is_refused_where_there_is_no_trace()
    {
        string trace = _folder.Small();
        _ = Tool.Good(trace);
        SetVersion(trace + ".db", 999);

        Assert.Contains("newer kprobe-report", Tool.Bad(1, "query", trace + ".db", "SELECT 1"), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_tools_database_is_neither_read_nor_overwritten()
    {
        string trace = _folder.Small();
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
        string first = _folder.Small("a.mpk");
        string second = _folder.Small("b.mpk", static e => e.RemoveAt(8));
        string database = _folder["fleet.db"];

        string output = Tool.Good("add", database, first, second, first);

        Assert.Contains("b.mpk: run 2", output, StringComparison.Ordinal);
        Assert.Contains("was there already", output, StringComparison.Ordinal);
        Assert.Equal(["1,9", "2,8"], Tool.Rows(database, "SELECT run, count(*) FROM events GROUP BY run"));
        Assert.Equal(["1,sh,1", "2,sh,1"], Tool.Rows(database, "SELECT run, comm, count(*) FROM calls WHERE duration_ns = 200 GROUP BY run, comm"));
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
        string trace = _folder.Small();
        _ = Tool.Good(trace, "--db", _folder["1.db"]);
        _ = Tool.Good(trace, "--db", _folder["2.db"]);

        Assert.Equal(File.ReadAllBytes(_folder["1.db"]), File.ReadAllBytes(_folder["2.db"]));
    }

    private static void SetVersion(string path, int version)
    {
        using Store.Sqlite.SqliteDatabase database = Store.Sqlite.SqliteDatabase.Open(path, write: true);
        database.Execute($"PRAGMA user_version = {version}");
    }
}
