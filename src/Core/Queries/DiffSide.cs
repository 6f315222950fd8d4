using System.Runtime.InteropServices;
using System.Text;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;

namespace KprobeTrace.Queries;

/// <summary>One of the two runs that are compared, read from one end to the other and reduced to what can be compared.</summary>
internal sealed class DiffSide : IDisposable
{
    private readonly Dictionary<long, string> _probeKeys = [];
    private readonly Dictionary<long, byte[][]> _ignored = [];
    private readonly Dictionary<long, int> _groupOfComm = [];
    private readonly Dictionary<(int Token, long Caller), int> _callNumbers = [];
    private readonly Dictionary<(long Probe, int Kind), long> _counts = [];
    private readonly Dictionary<(long Probe, long Caller), long> _callerCounts = [];
    private Dictionary<long, string> _callers = [];
    private DiffNames _names = new();
    private HashSet<long> _common = [];
    private SqliteStatement? _events;
    private bool _sameImage;

    internal DiffSide(TraceHistory history, long run)
    {
        // Both runs are read from one end to the other, which a large cache does not help; the alignment needs the memory.
        history.Database.Execute("PRAGMA cache_size = -8192");
        History = history;
        Run = EventSelection.Runs(history.Database, run)[0];
        using SqliteStatement statement = history.Database.Prepare(
            "SELECT image_sha256, image, kernel, events, initrd_sha256, command_line, memory, cpus, options FROM kt_run WHERE run = ?1");
        _ = statement.Bind(1, Run).Step();
        ImageSha256 = statement.Text(0);
        Image = statement.Text(1);
        Kernel = statement.Text(2);
        Total = statement.Int64(3);
        Inputs =
        [
            ("command line", statement.Text(5)), ("initramfs", statement.Text(4)), ("memory", statement.Text(6)),
            ("cpus", statement.Text(7)), ("options", statement.Text(8)),
        ];
        ReadProbes();
    }

    internal TraceHistory History { get; }

    internal long Run { get; }

    internal string ImageSha256 { get; }

    internal string Image { get; }

    internal string Kernel { get; }

    /// <summary>What the run was started with besides the image.</summary>
    internal IReadOnlyList<(string Name, string Value)> Inputs { get; }

    /// <summary>Events of the run.</summary>
    internal long Total { get; }

    /// <summary>Events of probes that both runs have, as far as they were read.</summary>
    internal long Common { get; private set; }

    /// <summary>True once every event was read.</summary>
    internal bool Ended { get; private set; }

    /// <summary>Keys of the probes: type, symbol and offset, or the event's name where there is no symbol.</summary>
    internal IReadOnlyCollection<string> Keys => _probeKeys.Values;

    /// <summary>The events that are being aligned.</summary>
    internal DiffWindow Window { get; } = new();

    /// <inheritdoc/>
    public void Dispose() => _events?.Dispose();

    /// <summary>Begins to read the events; those of the probes in <paramref name="common"/> go to the window.</summary>
    internal void Begin(DiffNames names, HashSet<string> common, bool sameImage, DiffOptions options)
    {
        _names = names;
        _sameImage = sameImage;
        _common = options.CountsOnly ? [] : [.. _probeKeys.Where(p => common.Contains(p.Value)).Select(static p => p.Key)];
        _callers = ReadCallers(sameImage);
        ReadIgnored(options);
        _events = History.Database.Prepare(
            "SELECT seq, probe, kind & 3, comm, caller, args, time_ns FROM kt_event WHERE run = ?1 ORDER BY seq");
        _ = _events.Bind(1, Run);
    }

    /// <summary>Reads until the window holds so many events or none are left.</summary>
    internal void Fill(int events)
    {
        while (Window.Count < events && !Ended)
        {
            if (!_events!.Step())
            {
                Ended = true;
                return;
            }

            Take(_events);
        }
    }

    /// <summary>Events by probe and kind, of all events; a hit's kind is not named.</summary>
    internal Dictionary<string, long> Counts()
    {
        Dictionary<string, long> counts = [];
        foreach (((long probe, int kind), long count) in _counts)
        {
            string key = _probeKeys[probe] + (TraceEventKinds.IsHit((TraceEventKind)kind) ? "" : " " + TraceEventKinds.Names[kind]);
            CollectionsMarshal.GetValueRefOrAddDefault(counts, key, out _) += count;
        }

        return counts;
    }

    /// <summary>Hits by probe key and caller.</summary>
    internal Dictionary<(string Key, string Caller), long> Callers()
    {
        Dictionary<(string Key, string Caller), long> counts = [];
        foreach (((long probe, long caller), long count) in _callerCounts)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(counts, (_probeKeys[probe], _callers.GetValueOrDefault(caller, "?")), out _) += count;
        }

        return counts;
    }

    /// <summary>Sequence numbers of events that are compared: so many before one, itself, and as many behind it.</summary>
    /// <param name="seq">Sequence number of the one, null for the end.</param>
    /// <param name="count">How many.</param>
    internal IReadOnlyList<long> Around(long? seq, int count)
    {
        List<long> list = [];
        Collect("seq < ?2 ORDER BY seq DESC", seq ?? long.MaxValue, count);
        list.Reverse();
        if (seq is { } from)
        {
            Collect("seq >= ?2 ORDER BY seq", from, (long)list.Count + count + 1);
        }

        return list;

        void Collect(string order, long bound, long upTo)
        {
            using SqliteStatement statement = History.Database.Prepare(
                $"SELECT seq, probe FROM kt_event WHERE run = ?1 AND {order}");
            _ = statement.Bind(1, Run).Bind(2, bound);
            while (list.Count < upTo && statement.Step())
            {
                if (_common.Contains(statement.Int64(1)))
                {
                    list.Add(statement.Int64(0));
                }
            }
        }
    }

    /// <summary>Names of a probe's arguments that do not count, or null.</summary>
    internal byte[][]? IgnoredOf(long probe) => _ignored.GetValueOrDefault(probe);

    /// <summary>True where some argument of the run is one that <paramref name="options"/> ignore.</summary>
    internal bool Has(DiffOptions options)
    {
        using SqliteStatement statement = History.Database.Prepare("SELECT event, name FROM arguments WHERE run = ?1");
        _ = statement.Bind(1, Run);
        while (statement.Step())
        {
            if (options.Ignores(statement.Text(0), statement.Text(1)))
            {
                return true;
            }
        }

        return false;
    }

    private void Take(SqliteStatement row)
    {
        long probe = row.Int64(1);
        int kind = row.Int32(2);
        long caller = row.Int64(4);
        CollectionsMarshal.GetValueRefOrAddDefault(_counts, (probe, kind), out _)++;
        if (caller != 0 && kind is (int)TraceEventKind.Pre or (int)TraceEventKind.Return)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(_callerCounts, (probe, caller), out _)++;
        }

        if (!_common.Contains(probe))
        {
            return;
        }

        Common++;
        int token = _names.Token(_probeKeys[probe], kind);
        if (!_callNumbers.TryGetValue((token, caller), out int call))
        {
            _callNumbers.Add((token, caller), call = _names.Call(token, _callers.GetValueOrDefault(caller, "")));
        }

        uint content = DiffContent.Hash(row.Utf8(5), _sameImage, IgnoredOf(probe));
        if (_sameImage)
        {
            // Of one image even the place of the call must agree; the number stands for its name on both sides.
            content = (content ^ (uint)call) * 16777619;
        }

        long seq = row.Int64(0);
        if (seq is <= DiffWindow.Undecided or >= DiffWindow.Alone)
        {
            throw new KprobeTraceException($"{History.Path}: run {Run} has an event numbered {seq}; diff takes numbers from 1 to {DiffWindow.Alone - 1}");
        }

        Window.Add((uint)seq, call, (ushort)GroupOf(row.Int64(3)), content, row.UInt64(6));
    }

    private int GroupOf(long comm)
    {
        if (!_groupOfComm.TryGetValue(comm, out int group))
        {
            using SqliteStatement name = History.Database.Prepare("SELECT name FROM kt_comm WHERE comm = ?1");
            group = _names.Group(name.Bind(1, comm).Step() ? name.Text(0) : "");
            _groupOfComm.Add(comm, group);
        }

        return group;
    }

    private void ReadProbes()
    {
        using SqliteStatement statement = History.Database.Prepare(
            "SELECT probe, type, symbol, offset, name FROM kt_probe WHERE run = ?1");
        _ = statement.Bind(1, Run);
        while (statement.Step())
        {
            string symbol = statement.Text(2);
            long offset = statement.Int64(3);
            StringBuilder key = new(statement.Text(1));
            _ = key.Append(' ').Append(symbol.Length > 0 ? symbol : statement.Text(4));
            if (offset != 0)
            {
                _ = key.Append("+0x").Append(offset.ToString("x", null));
            }

            _probeKeys.Add(statement.Int64(0), key.ToString());
        }
    }

    private void ReadIgnored(DiffOptions options)
    {
        if (options.Ignore.Count == 0)
        {
            return;
        }

        Dictionary<long, List<byte[]>> names = [];
        using SqliteStatement statement = History.Database.Prepare("""
            SELECT a.probe, p.name, a.name FROM kt_argument a JOIN kt_probe p ON p.run = a.run AND p.probe = a.probe
            WHERE a.run = ?1
            """);
        _ = statement.Bind(1, Run);
        while (statement.Step())
        {
            string argument = statement.Text(2);
            if (options.Ignores(statement.Text(1), argument))
            {
                long probe = statement.Int64(0);
                if (!names.TryGetValue(probe, out List<byte[]>? list))
                {
                    names.Add(probe, list = []);
                }

                list.Add(Encoding.UTF8.GetBytes(argument));
            }
        }

        foreach ((long probe, List<byte[]> list) in names)
        {
            _ignored.Add(probe, [.. list]);
        }
    }

    private Dictionary<long, string> ReadCallers(bool withOffset)
    {
        Dictionary<long, string> names = [];
        using SqliteStatement statement = History.Database.Prepare(
            "SELECT place, symbol, offset FROM kt_place WHERE place IN (SELECT caller FROM kt_event WHERE run = ?1)");
        _ = statement.Bind(1, Run);
        while (statement.Step())
        {
            names.Add(
                statement.Int64(0),
                withOffset && statement.Int64(2) != 0
                    ? $"{statement.Text(1)}+0x{statement.Int64(2):x}"
                    : withOffset ? statement.Text(1) : WithoutSuffix(statement.Text(1)));
        }

        return names;
    }

    /// <summary>What a compiler puts behind the name of a function that it changed depends on the build.</summary>
    private static string WithoutSuffix(string symbol)
    {
        int dot = symbol.IndexOf('.', 1 < symbol.Length ? 1 : 0);
        return dot > 0 ? symbol[..dot] : symbol;
    }
}
