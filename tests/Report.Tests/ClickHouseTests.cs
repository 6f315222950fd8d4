using System.Reflection;
using System.Text;
using KprobeTrace.Bench;
using KprobeTrace.Export;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using Xunit;

namespace KprobeTrace.Tests.Report;

public sealed class ClickHouseTests : IDisposable
{
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [ProgramFact("clickhouse-server")]
    public void Ten_questions_have_the_same_answers_from_sqlite_and_from_two_shards()
    {
        string database = _folder["fleet.db"];
        SyntheticTrace.Write(_folder["a.mpk"], 12_000, seed: 1);
        SyntheticTrace.Write(_folder["b.mpk"], 9_000, seed: 2);
        _ = Tool.Good("add", database, _folder["a.mpk"], _folder["b.mpk"], _folder.Small());
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
        string[] questions = [.. Directory.GetFiles(Path.Combine(Root(), "docs", "questions"), "*.sql").Order(StringComparer.Ordinal)];
        Assert.Equal(10, questions.Length);
        foreach (string question in questions)
        {
            string text = File.ReadAllText(question);
            int sqlite = text.IndexOf("-- sqlite\n", StringComparison.Ordinal);
            int clickhouse = text.IndexOf("-- clickhouse\n", StringComparison.Ordinal);

            string here = Ask(history, text[sqlite..clickhouse]);
            string there = cluster.Run(text[(clickhouse + "-- clickhouse\n".Length)..].TrimEnd() + " FORMAT TabSeparated", 1);

            Assert.True(here.Length > 0, question);
            Assert.True(here == there, $"{question}:\n{here[..Math.Min(400, here.Length)]}\n---\n{there[..Math.Min(400, there.Length)]}");
        }

        // An event's view, and text that had to be escaped on the way.
        Assert.Equal(
            Ask(history, "SELECT run, seq, dfd, arg_name FROM open ORDER BY run, seq"),
            cluster.Run("SELECT run, seq, dfd, arg_name FROM open ORDER BY run, seq FORMAT TabSeparated"));
    }

    private static string Ask(TraceHistory history, string sql)
    {
        using MemoryStream stream = new();
        using (Utf8Output output = new(stream, leaveOpen: true))
        {
            SqlQuery.Run(history, sql, new TsvRows(output));
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static string Root()
    {
        string? folder = Path.GetDirectoryName(Assembly.GetExecutingAssembly().Location);
        while (folder is not null && !File.Exists(Path.Combine(folder, "KprobeTrace.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder!;
    }
}
