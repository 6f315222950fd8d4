using System.Text;
using KprobeTrace.Fuzz.Engine;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>SQL that reads, SQL that would write if it could, and SQL that is none.</summary>
internal static class SqlText
{
    private static readonly string[] _functions =
    [
        "hex64", "sym", "bucket", "percentile", "median", "p50", "p90", "p95", "p99", "count", "sum", "avg", "max", "min", "group_concat", "json_extract", "json_group_array",
        "json_each", "printf", "substr", "replace", "hex", "unhex", "zeroblob", "randomblob", "instr", "abs", "round", "strftime", "load_extension", "readfile", "writefile", "edit",
        "fts3_tokenizer", "sqlite_version", "sqlite_compileoption_get", "likelihood", "quote", "char", "unicode", "typeof", "nosuch", "row_number", "lag", "ntile", "generate_series",
    ];

    private static readonly string[] _views = ["runs", "probes", "events", "regs", "faults", "calls", "symbols", "console", "text_pokes", "fork", "kt_event", "kt_run", "sqlite_schema", "pragma_table_info('events')", "json_each('[1,2]')", "dbstat", "sqlite_dbpage", "nosuch", "(select 1 as a)"];
    private static readonly string[] _columns = ["seq", "time_ns", "ip", "ax", "comm", "name", "duration_ns", "stack", "args", "symbol", "kind", "*", "rowid", "run", "pid", "a", "\"x\"", "[y]"];
    private static readonly string[] _values = ["0", "1", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e308", "1e999", "-0.0", "null", "''", "'text'", "x'00ff'", "x''", "zeroblob(100)", "zeroblob(1000000000)", "randomblob(10)", "'%s%n%'", "'[1,2]'", "'{\"a\":'", "1/0", "hex(zeroblob(300000))", "replace(hex(zeroblob(100000)),'0','aaaaaaaaaaaaaaaaaaaaaaaa')", "char(0)", "?1", ":x", "@x"];

    private static readonly string[] _attacks =
    [
        "attach 'x.db' as x", "attach ':memory:' as m", "detach main", "create table t(a)", "create temp table t as select 1", "create view v as select 1", "drop view events", "insert into kt_run values(1)",
        "update kt_event set time=0", "delete from kt_event", "vacuum", "vacuum into 'copy.db'", "reindex", "analyze", "begin exclusive", "savepoint s", "commit", "rollback",
        "pragma journal_mode=wal", "pragma writable_schema=1", "pragma temp_store_directory='/tmp'", "pragma query_only=0", "pragma mmap_size=1000000000", "pragma integrity_check", "pragma table_info(events)", "pragma wal_checkpoint",
        "select load_extension('x.so')", "create virtual table f using fts5(a)", "create trigger t after insert on kt_run begin select 1; end", "explain select * from events", "explain query plan select * from events", "alter table kt_run rename to x",
        "with recursive c(x) as (select 1 union all select x+1 from c) select count(*) from c", "with recursive c(x) as (select 'a' union all select x||x from c) select max(x) from c", "select * from events, events, events", "values(1),(2,3)", "pragma hard_heap_limit=1", "pragma soft_heap_limit=1", "pragma threads=8",
    ];

    public static string Generate(FuzzRandom random)
    {
        StringBuilder text = new();
        if (random.OneIn(4))
        {
            text.Append(random.Pick<string>(_attacks));
        }
        else
        {
            Select(random, text, 0);
        }

        if (random.OneIn(10))
        {
            text.Append(random.Pick(";", "; select 1", "; drop table kt_run", " --", " /*", "\0", ";;"));
        }

        for (int i = random.OneIn(4) ? random.Next(4) : 0; i > 0 && text.Length > 0; i--)
        {
            int at = random.Next(text.Length);
            _ = random.OneIn(2) ? text.Remove(at, Math.Min(text.Length - at, random.Next(1, 6))) : text.Insert(at, random.Pick("(", ")", "'", "\"", ",", " ", "é", "\0", "/*", "--", "select", "\n"));
        }

        return text.ToString();
    }

    private static void Select(FuzzRandom random, StringBuilder text, int depth)
    {
        text.Append("select ").Append(random.OneIn(8) ? "distinct " : "");
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            Expression(random, text, depth + 1);
            text.Append(i > 1 ? ", " : "");
        }

        if (random.OneIn(8))
        {
            return;
        }

        text.Append(" from ").Append(random.Pick<string>(_views));
        if (random.OneIn(6))
        {
            text.Append(random.Pick(" join ", " left join ", ", ")).Append(random.Pick<string>(_views)).Append(random.OneIn(2) ? " using (seq)" : "");
        }

        if (random.OneIn(3))
        {
            text.Append(" where ");
            Expression(random, text, depth + 1);
        }

        if (random.OneIn(4))
        {
            text.Append(" group by ").Append(random.Pick<string>(_columns));
        }

        if (random.OneIn(4))
        {
            text.Append(" order by ");
            Expression(random, text, depth + 1);
        }

        if (random.OneIn(3))
        {
            text.Append(" limit ").Append(random.Pick<string>(_values));
        }
    }

    private static void Expression(FuzzRandom random, StringBuilder text, int depth)
    {
        switch (depth > 6 ? random.Next(2) : random.Next(8))
        {
            case 0:
                text.Append(random.Pick<string>(_columns));
                break;
            case 1:
                text.Append(random.Pick<string>(_values));
                break;
            case 2 or 3 or 4:
                text.Append(random.Pick<string>(_functions)).Append('(');
                for (int i = random.Next(4); i > 0; i--)
                {
                    Expression(random, text, depth + 1);
                    text.Append(i > 1 ? "," : "");
                }

                text.Append(')').Append(random.OneIn(12) ? " over (order by seq)" : "").Append(random.OneIn(20) ? " filter (where 1)" : "");
                break;
            case 5:
                int levels = random.OneIn(40) ? random.Next(1200) : 1;
                text.Append('(', levels);
                Expression(random, text, depth + 1);
                text.Append(random.Pick("+", "-", "*", "/", "%", "||", "=", "<", " and ", " or ", " is ", " like ", " glob ", " match ", " regexp ", " in ", "->", "->>", " collate ", "<<", "&"));
                Expression(random, text, depth + 1);
                text.Append(')', levels);
                break;
            case 6 when depth < 4:
                text.Append(random.Pick("(", "exists (", "not exists("));
                Select(random, text, depth + 2);
                text.Append(')');
                break;
            default:
                text.Append("case when ");
                Expression(random, text, depth + 1);
                text.Append(" then 1 else cast(").Append(random.Pick<string>(_columns)).Append(" as ").Append(random.Pick("text", "integer", "blob", "real")).Append(") end");
                break;
        }
    }
}
