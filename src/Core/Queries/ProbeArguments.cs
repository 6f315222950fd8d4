using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;

namespace KprobeTrace.Queries;

/// <summary>Reads the arguments of probes out of a history.</summary>
internal sealed class ProbeArguments(SqliteDatabase database) : IDisposable
{
    private readonly SqliteStatement _statement = database.Prepare(
        "SELECT name, type FROM kt_argument WHERE run = ?1 AND probe = ?2 ORDER BY position");

    /// <summary>The arguments of a probe, in order.</summary>
    internal List<TraceArgument> Of(long run, long probe)
    {
        List<TraceArgument> list = [];
        _ = _statement.Bind(1, run).Bind(2, probe);
        while (_statement.Step())
        {
            list.Add(new TraceArgument(_statement.Text(0), _statement.Text(1)));
        }

        _statement.Reset();
        return list;
    }

    /// <inheritdoc/>
    public void Dispose() => _statement.Dispose();
}
