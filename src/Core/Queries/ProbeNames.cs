using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Queries;

/// <summary>The names of a history's probes, for messages.</summary>
internal static class ProbeNames
{
    /// <summary>The error that no probe matches patterns, with what may have been meant.</summary>
    internal static KprobeTraceException NoMatch(SqliteDatabase database, IEnumerable<string> patterns)
    {
        List<string> wanted = [.. patterns];
        List<string> names = [];
        using SqliteStatement statement = database.Prepare("SELECT name FROM kt_probe UNION SELECT symbol FROM kt_probe");
        while (statement.Step())
        {
            names.Add(statement.Text(0));
        }

        string hint = wanted.Count == 1 ? NearestName.Ask(wanted[0], names) : "";
        return new KprobeTraceException($"no probe matches {string.Join(", ", wanted)}{(hint.Length == 0 ? "; the view probes lists them" : hint)}");
    }
}
