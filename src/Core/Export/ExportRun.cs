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
        using SqliteStatement arguments = history.Database.Prepare(
            "SELECT name, type FROM kt_argument WHERE run = ?1 AND probe = ?2 ORDER BY position");
        _ = statement.Bind(1, run);
        while (statement.Step())
        {
            List<ExportArgument> list = [];
            _ = arguments.Bind(1, run).Bind(2, statement.Int64(0));
            while (arguments.Step())
            {
                string type = arguments.Text(1);
                list.Add(new ExportArgument(arguments.Text(0), type, ArgumentText.StyleOf(type) == ArgumentStyle.Text || type.EndsWith(']')));
            }

            arguments.Reset();
            Probes.Add(
                statement.Int64(0),
                new ExportProbe(statement.Int64(0), statement.Text(1), statement.Text(2), statement.Int64(3), list));
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

    /// <summary>A task's name by its number, as UTF-8.</summary>
    internal byte[] Comm(long number) => _comms.Of(number);

    private byte[] ReadComm(long number)
    {
        using SqliteStatement statement = _history.Database.Prepare("SELECT name FROM kt_comm WHERE comm = ?1");
        return statement.Bind(1, number).Step() ? statement.Utf8(0).ToArray() : [];
    }
}
