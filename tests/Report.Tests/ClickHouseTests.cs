using KprobeTrace.Bench;
using KprobeTrace.Store;
using Xunit;

namespace KprobeTrace.Tests.Report;

public sealed class ClickHouseTests : IDisposable
{
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [ProgramFact("clickhouse-server")]
    public void Twenty_questions_have_the_same_answers_from_sqlite_and_from_two_shards()
    {
        string database = _folder["fleet.db"];
        SyntheticTrace.Write(_folder["a.mpk"], 12_000, seed: 1);
        SyntheticTrace.Write(_folder["b.mpk"], 9_000, seed: 2);
        string awkward = _folder.Trace("""
            image vmlinuz-awkward
            p:open do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring
            r:open_ret do_sys_openat2 ret=$retval:s64
            p:exec do_execve argv=+0(%si):string[2]
            console 40 "a\tline\\"
            note 45 miss open 2 "it's\tmissed"
            poke 50 do_sys_openat2 55 CC arm
            300 open "t\ta\"b'\n"-42 dfd=-100 name="a,\"b\"\n<script>'x'\\" caller=ksys_caller+0x10
            340 open fault sh-42 error=2 cr2=0x7fff0000
            350 open post sh-42
            360 exec argv={"a\\","]b\"c"}
            370 exec argv={?,"\\"}
            380 open_ret sh-42 ret=3 %ax=3 caller=ksys_caller+0x10
            """);
        _ = Tool.Good("add", database, _folder["a.mpk"], _folder["b.mpk"], awkward, ShapesTrace.Write(_folder["shapes.mpk"]));
        _ = Tool.Good("export", database, "--to", "clickhouse", "-o", _folder["ch"]);

        using ClickHouseServer cluster = new(ProgramFactAttribute.Find("clickhouse-server")!, _folder["servers"]);
        foreach (string statement in File.ReadAllText(Path.Combine(_folder["ch"], "schema.sql")).Split(";\n", StringSplitOptions.RemoveEmptyEntries))
        {
            _ = cluster.Run(statement, 0);
            _ = cluster.Run(statement, 1);
        }

        foreach (string table in File.ReadAllLines(Path.Combine(_folder["ch"], "tables")))
        {
            _ = cluster.Run($"INSERT INTO {table} FORMAT TabSeparated", 0, File.ReadAllBytes(Path.Combine(_folder["ch"], table + ".tsv")));
        }

        // Both shards hold a good part of the events.
        Assert.InRange(int.Parse(cluster.Run("SELECT count(*) FROM events_local", 0), null), 5_000, 16_000);
        Assert.InRange(int.Parse(cluster.Run("SELECT count(*) FROM events_local", 1), null), 5_000, 16_000);

        using TraceHistory history = TraceHistory.OpenDatabase(database);
        Question[] questions = Question.All();
        Assert.Equal(20, questions.Length);
        foreach (Question question in questions)
        {
            string here = question.AskSqlite(history);
            string there = cluster.Run(question.Sql("clickhouse") + " FORMAT TabSeparated", 1);

            Assert.True(here.Length > 0, question.Name);
            Assert.True(here == there, $"{question.Name}:\n{here[..Math.Min(400, here.Length)]}\n---\n{there[..Math.Min(400, there.Length)]}");
        }

        // An event's view, and text that had to be escaped on the way.
        foreach (string sql in (string[])[
            "SELECT run, seq, kind, dfd, arg_name, place, list FROM open ORDER BY run, seq",
            "SELECT seq, argv FROM exec ORDER BY seq",
            "SELECT run, time_ns, insn, line FROM console WHERE run = 3",
            "SELECT run, time_ns, address, old, new, reason FROM text_pokes WHERE run > 2 ORDER BY run",
            "SELECT run, kind, probe, time_ns, text FROM notes WHERE run > 2 ORDER BY run, time_ns"])
        {
            Assert.Equal(Question.Ask(history, sql), cluster.Run(sql + " FORMAT TabSeparated"));
        }
    }
}
