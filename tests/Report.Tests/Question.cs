using System.Reflection;
using System.Text;
using KprobeTrace.Export;
using KprobeTrace.Queries;
using KprobeTrace.Store;

namespace KprobeTrace.Tests.Report;

/// <summary>A question of docs/questions, with its SQL in several dialects.</summary>
internal sealed class Question
{
    private readonly Dictionary<string, string> _dialects = [];

    private Question(string path)
    {
        Name = Path.GetFileNameWithoutExtension(path);
        foreach (string part in File.ReadAllText(path).Split("\n-- ")[1..])
        {
            int end = part.IndexOf('\n', StringComparison.Ordinal);
            _dialects.Add(part[..end], part[(end + 1)..].TrimEnd());
        }
    }

    internal string Name { get; }

    /// <summary>The questions in order.</summary>
    internal static Question[] All() =>
    [
        .. Directory.GetFiles(Path.Combine(Root(), "docs", "questions"), "*.sql").Order(StringComparer.Ordinal).Select(static p => new Question(p)),
    ];

    internal bool Has(string dialect) => _dialects.ContainsKey(dialect);

    internal string Sql(string dialect) => _dialects[dialect];

    /// <summary>The answer as tab-separated lines.</summary>
    internal string AskSqlite(TraceHistory history) => Ask(history, Sql("sqlite"));

    /// <summary>The rows of any statement as tab-separated lines.</summary>
    internal static string Ask(TraceHistory history, string sql)
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
