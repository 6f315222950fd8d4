using System.Globalization;
using System.Text;
using DuckDB.NET.Data;
using KprobeTrace.Bench;
using KprobeTrace.Store;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>Exported Parquet, read by DuckDB.</summary>
public sealed class DuckDbTests : IDisposable
{
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Questions_have_the_same_answers_from_sqlite_and_from_parquet_in_duckdb()
    {
        string database = _folder["fleet.db"];
        SyntheticTrace.Write(_folder["a.mpk"], 6_000, seed: 1);
        string awkward = _folder.Trace("""
            image vmlinuz-awkward
            p:open do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring
            r:open_ret do_sys_openat2 ret=$retval:s64
            300 open "t\ta\"b'\n"-42 dfd=-100 name="a,\"b\"\n<script>'x'\\" caller=ksys_caller+0x10
            340 open fault sh-42 error=2 cr2=0x7fff0000
            350 open post sh-42
            380 open_ret sh-42 ret=3 %ax=3 caller=ksys_caller+0x10
            """);
        _ = Tool.Good("add", database, _folder["a.mpk"], awkward, ShapesTrace.Write(_folder["shapes.mpk"]));
        using DuckDBConnection duck = Events(database);
        using TraceHistory history = TraceHistory.OpenDatabase(database);

        Question[] questions = [.. Question.All().Where(static q => q.Has("duckdb"))];
        Assert.Equal(10, questions.Length);
        foreach (Question question in questions)
        {
            string here = question.AskSqlite(history);
            string there = Ask(duck, question.Sql("duckdb"));
            Assert.True(here == there, $"{question.Name}:\n{here[..Math.Min(400, here.Length)]}\n---\n{there[..Math.Min(400, there.Length)]}");
        }
    }

    [Fact]
    public void Addresses_compare_as_unsigned_numbers()
    {
        using DuckDBConnection duck = Events(ShapesTrace.Write(_folder["shapes.mpk"]));

        Assert.Equal("9\n", Ask(duck, "SELECT count(*) FROM events WHERE address >= 18446744071580680192"));
        Assert.Equal("1\n6\n", Ask(duck, "SELECT seq FROM events WHERE arg_place >= 9223372036854775808 ORDER BY seq"));
        Assert.Equal($"{ShapesTrace.Place}\n", Ask(duck, "SELECT DISTINCT di FROM events WHERE di > 9223372036854775807"));
        Assert.Equal(
            "UBIGINT\tUBIGINT\tBIGINT\tBIGINT\tVARCHAR\n",
            Ask(duck, "SELECT typeof(address), typeof(arg_place), typeof(seq), typeof(arg_dfd), typeof(arg_list) FROM events LIMIT 1"));
    }

    [Fact]
    public void What_an_event_does_not_have_is_null()
    {
        using DuckDBConnection duck = Events(ShapesTrace.Write(_folder["shapes.mpk"]));

        Assert.Equal(
            "1\t-100\t/etc/passwd\t[1,2]\t42\tsh\n2\t\\N\t\\N\t\\N\t42\tsh\n3\t5\t\\N\t[3,null]\t42\tsh\n4\t\\N\t\\N\t\\N\t42\tsh\n"
            + "6\t\\N\tx\t\\N\t\\N\t\\N\n7\t\\N\t\\N\t\\N\t\\N\t\\N\n",
            Ask(duck, "SELECT seq, arg_dfd, arg_name, arg_list, pid, comm FROM events WHERE name = 'open' ORDER BY seq"));
    }

    private DuckDBConnection Events(string source)
    {
        _ = Tool.Good("export", source, "--to", "parquet", "-o", _folder["set"]);
        DuckDBConnection duck = new("DataSource=:memory:");
        duck.Open();
        _ = Ask(duck, $"CREATE VIEW events AS SELECT * FROM read_parquet('{_folder["set"]}/*/*/*.parquet', hive_partitioning = true, union_by_name = true)");
        return duck;
    }

    /// <summary>The rows as tab-separated lines, as ClickHouse and our own tool write them.</summary>
    private static string Ask(DuckDBConnection duck, string sql)
    {
        using DuckDBCommand command = duck.CreateCommand();
        command.CommandText = sql;
        using DuckDBDataReader rows = command.ExecuteReader();
        StringBuilder text = new();
        while (rows.Read())
        {
            for (int i = 0; i < rows.FieldCount; i++)
            {
                string cell = rows.IsDBNull(i)
                    ? "\\N"
                    : Convert.ToString(rows.GetValue(i), CultureInfo.InvariantCulture)!
                        .Replace("\\", "\\\\", StringComparison.Ordinal)
                        .Replace("'", "\\'", StringComparison.Ordinal)
                        .Replace("\t", "\\t", StringComparison.Ordinal)
                        .Replace("\n", "\\n", StringComparison.Ordinal);
                _ = text.Append(i > 0 ? "\t" : "").Append(cell);
            }

            _ = text.Append('\n');
        }

        return text.ToString();
    }
}
