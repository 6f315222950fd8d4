using System.Text.RegularExpressions;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Queries;

/// <summary>Adds to SQLite's errors what a user can do about them.</summary>
internal static partial class SqlErrors
{
    /// <summary>Characters of a statement that are searched for names of views.</summary>
    private const int Searched = 1 << 16;

    /// <summary>The message of an error of <paramref name="sql"/>, with what a misspelt name may have meant.</summary>
    internal static string Explain(SqliteDatabase database, DatabaseException e, string sql) => e.Message + Ask(database, e, sql);

    /// <summary>The question what a table, column or function was meant to be; empty where nothing is like it.</summary>
    internal static string Ask(SqliteDatabase database, DatabaseException e, string sql)
    {
        if (MissingName().Match(e.Message) is not { Success: true } missing)
        {
            return "";
        }

        string name = missing.Groups[2].Value;
        name = name[(name.LastIndexOf('.') + 1)..].ToLowerInvariant();
        try
        {
            return NearestName.Ask(name, missing.Groups[1].Value switch
            {
                "table" => Views(database),
                "function" => Texts(database, "SELECT DISTINCT name FROM pragma_function_list"),
                _ => Columns(database, sql),
            });
        }
        catch (DatabaseException)
        {
            return ""; // The error itself is what matters.
        }
    }

    private static List<string> Views(SqliteDatabase database) =>
        Texts(database, "SELECT name FROM sqlite_schema WHERE type = 'view'");

    /// <summary>The columns of the views that a statement names.</summary>
    private static HashSet<string> Columns(SqliteDatabase database, string sql)
    {
        HashSet<string> words = new(StringComparer.OrdinalIgnoreCase);
        foreach (ValueMatch word in Word().EnumerateMatches(sql.AsSpan(0, Math.Min(sql.Length, Searched))))
        {
            words.Add(sql.Substring(word.Index, word.Length));
        }

        HashSet<string> columns = [];
        foreach (string view in Views(database).Where(words.Contains))
        {
            columns.UnionWith(Texts(database, "SELECT name FROM pragma_table_info(?1)", view));
        }

        return columns;
    }

    private static List<string> Texts(SqliteDatabase database, string sql, string? parameter = null)
    {
        List<string> texts = [];
        using SqliteStatement statement = database.Prepare(sql);
        if (parameter is not null)
        {
            _ = statement.Bind(1, parameter);
        }

        while (statement.Step())
        {
            texts.Add(statement.Text(0));
        }

        return texts;
    }

    [GeneratedRegex("^no such (table|column|function): \"?([^\"\\s]{1,300})")]
    private static partial Regex MissingName();

    [GeneratedRegex("[\\w]+")]
    private static partial Regex Word();
}
