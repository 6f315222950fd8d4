using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Export;

/// <summary>Names and probes of one run, for exports that write events one by one.</summary>
internal sealed class ExportRun
{
    private readonly BoundedCache<byte[]> _comms;
    private readonly TraceHistory _history;

    internal ExportRun(TraceHistory history, long run)
    {
        _history = history;
        _comms = new BoundedCache<byte[]>(ReadComm);
        Run = run;
        using SqliteStatement statement = history.Database.Prepare(
            "SELECT probe, name, symbol, event_address FROM kt_probe WHERE run = ?1 ORDER BY probe");
        using ProbeArguments arguments = new(history.Database);
        _ = statement.Bind(1, run);
        while (statement.Step())
        {
            Probes.Add(
                statement.Int64(0),
                new ExportProbe(statement.Int64(0), statement.Text(1), statement.Text(2), statement.Int64(3), arguments.Of(run, statement.Int64(0))));
        }

        using SqliteStatement info = history.Database.Prepare("SELECT events, image, kernel FROM kt_run WHERE run = ?1");
        _ = info.Bind(1, run).Step();
        Events = info.Int64(0);
        Image = info.Text(1);
        Kernel = info.Text(2);
    }

    internal long Run { get; }

    internal long Events { get; }

    internal string Image { get; }

    internal string Kernel { get; }

    internal Dictionary<long, ExportProbe> Probes { get; } = [];

    /// <summary>The probe of an event.</summary>
    /// <exception cref="KprobeTraceException">The history has no such probe.</exception>
    internal ExportProbe ProbeOf(long seq, long probe) => Probes.GetValueOrDefault(probe) ?? throw EventSelection.UnknownProbe(seq, probe);

    /// <summary>A task's name by its number, as UTF-8.</summary>
    internal byte[] Comm(long number) => _comms.Of(number);

    private byte[] ReadComm(long number)
    {
        using SqliteStatement statement = _history.Database.Prepare("SELECT name FROM kt_comm WHERE comm = ?1");
        return statement.Bind(1, number).Step() ? statement.Utf8(0).ToArray() : [];
    }
}
