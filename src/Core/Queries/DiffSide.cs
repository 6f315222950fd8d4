using System.Runtime.InteropServices;
using System.Text;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Queries;

/// <summary>One of the two runs that are compared, reduced to what can be compared.</summary>
internal sealed class DiffSide
{
    /// <summary>Events that are compared at most; a word about the rest goes into the answer.</summary>
    internal const int MaxEvents = 3_000_000;

    private readonly Dictionary<long, string> _probeKeys = [];

    internal DiffSide(TraceHistory history, long run)
    {
        // Both runs are read from one end to the other, which a large cache does not help; the alignment needs the memory.
        history.Database.Execute("PRAGMA cache_size = -8192");
        History = history;
        Run = EventSelection.Runs(history.Database, run)[0];
        using SqliteStatement statement = history.Database.Prepare(
            "SELECT image_sha256, image, kernel, events, initrd_sha256 FROM kt_run WHERE run = ?1");
        _ = statement.Bind(1, Run).Step();
        ImageSha256 = statement.Text(0);
        Image = statement.Text(1);
        Kernel = statement.Text(2);
        Total = statement.Int64(3);
        ReadProbes();
    }

    internal TraceHistory History { get; }

    internal long Run { get; }

    internal string ImageSha256 { get; }

    internal string Image { get; }

    internal string Kernel { get; }

    /// <summary>Events of the run.</summary>
    internal long Total { get; }

    /// <summary>Keys of the probes: type, symbol and offset, or the event's name where there is no symbol.</summary>
    internal IReadOnlyCollection<string> Keys => _probeKeys.Values;

    /// <summary>Sequence numbers of the events compared.</summary>
    internal uint[] Seqs { get; private set; } = [];

    /// <summary>What each event compared is, and who called: a number that both sides share for the same thing.</summary>
    internal int[] Calls { get; private set; } = [];

    /// <summary>Which group of tasks each event belongs to, likewise shared.</summary>
    internal ushort[] Groups { get; private set; } = [];

    /// <summary>A hash of what else of an event must be equal for the event to be.</summary>
    internal uint[] Contents { get; private set; } = [];

    /// <summary>Events by probe key, of all events.</summary>
    internal Dictionary<string, long> Counts { get; } = [];

    /// <summary>Entries by probe key and caller.</summary>
    internal Dictionary<(string Key, string Caller), long> Callers { get; } = [];

    /// <summary>True where the run has more events than are compared.</summary>
    internal bool Cut { get; private set; }

    /// <summary>Reads the events of the probes in <paramref name="common"/>.</summary>
    internal void Read(DiffNames names, HashSet<string> common, bool sameImage)
    {
        SqliteDatabase database = History.Database;
        int capacity = (int)Math.Min(Total, MaxEvents);
        uint[] seqs = new uint[capacity];
        int[] calls = new int[capacity];
        ushort[] groups = new ushort[capacity];
        uint[] contents = new uint[capacity];
        Dictionary<long, int> groupOfComm = [];
        Dictionary<long, string> callers = ReadCallers(sameImage);
        Dictionary<(int Token, long Caller), int> callNumbers = [];
        Dictionary<(long Probe, long Caller), long> callerCounts = [];
        int used = 0;
        using SqliteStatement statement = database.Prepare(
            "SELECT seq, probe, kind & 3, comm, caller, args, time_ns FROM kt_event WHERE run = ?1 ORDER BY seq");
        using SqliteStatement commName = database.Prepare("SELECT name FROM kt_comm WHERE comm = ?1");
        _ = statement.Bind(1, Run);
        while (statement.Step())
        {
            long probe = statement.Int64(1);
            string key = _probeKeys[probe];
            CollectionsMarshal.GetValueRefOrAddDefault(Counts, key, out _)++;
            int kind = statement.Int32(2);
            long caller = statement.Int64(4);
            if (caller != 0 && kind != 1)
            {
                CollectionsMarshal.GetValueRefOrAddDefault(callerCounts, (probe, caller), out _)++;
            }

            if (!common.Contains(key))
            {
                continue;
            }

            if (used == capacity)
            {
                Cut = true;
                continue;
            }

            long comm = statement.Int64(3);
            if (!groupOfComm.TryGetValue(comm, out int group))
            {
                _ = commName.Bind(1, comm);
                group = names.Group(commName.Step() ? commName.Text(0) : "");
                commName.Reset();
                groupOfComm.Add(comm, group);
            }

            seqs[used] = (uint)statement.Int64(0);
            int token = names.Token(key, kind);
            if (!callNumbers.TryGetValue((token, caller), out int call))
            {
                callNumbers.Add((token, caller), call = names.Call(token, callers.GetValueOrDefault(caller, "")));
            }

            calls[used] = call;
            groups[used] = (ushort)group;
            contents[used] = Content(statement.Utf8(5), sameImage);
            if (sameImage)
            {
                // Of one image even the place of the call must agree; the number stands for its name on both sides.
                contents[used] = (contents[used] ^ (uint)call) * 16777619;
            }

            used++;
        }

        Array.Resize(ref seqs, used);
        Array.Resize(ref calls, used);
        Array.Resize(ref groups, used);
        Array.Resize(ref contents, used);
        Seqs = seqs;
        Calls = calls;
        Groups = groups;
        Contents = contents;
        foreach (((long probe, long caller), long count) in callerCounts)
        {
            string name = callers.GetValueOrDefault(caller, "?");
            CollectionsMarshal.GetValueRefOrAddDefault(Callers, (_probeKeys[probe], name), out _) += count;
        }
    }

    /// <summary>Gives back the memory of what only the alignment needs.</summary>
    internal void ForgetOrder()
    {
        Calls = [];
        Groups = [];
    }

    /// <summary>
    /// A hash of the arguments: all of them for runs of one image; otherwise only texts and small numbers, because
    /// addresses differ from kernel to kernel without meaning anything.
    /// </summary>
    private static uint Content(ReadOnlySpan<byte> arguments, bool sameImage)
    {
        uint hash = 2166136261;
        if (sameImage)
        {
            foreach (byte value in arguments)
            {
                hash = (hash ^ value) * 16777619;
            }

            return hash;
        }

        int i = 0;
        while (i < arguments.Length)
        {
            byte value = arguments[i];
            if (value is (byte)'-' or (>= (byte)'0' and <= (byte)'9') && i > 0 && arguments[i - 1] is (byte)':' or (byte)',' or (byte)'[')
            {
                int start = i;
                while (i < arguments.Length && arguments[i] is (byte)'-' or (>= (byte)'0' and <= (byte)'9'))
                {
                    i++;
                }

                if (i - start <= 6)
                {
                    foreach (byte digit in arguments[start..i])
                    {
                        hash = (hash ^ digit) * 16777619;
                    }
                }

                continue;
            }

            hash = (hash ^ value) * 16777619;
            i++;
        }

        return hash;
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

    private Dictionary<long, string> ReadCallers(bool withOffset)
    {
        Dictionary<long, string> names = [];
        using SqliteStatement statement = History.Database.Prepare(
            "SELECT place, symbol, offset FROM kt_place WHERE run = ?1 AND place IN (SELECT caller FROM kt_event WHERE run = ?1)");
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
