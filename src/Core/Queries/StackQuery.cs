using System.Runtime.InteropServices;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Queries;

/// <summary>Adds up the call stacks of events.</summary>
/// <remarks>
/// Where no event has a stack, the caller of a probed function stands for one. The task's name is the root, the
/// probed symbol the leaf.
/// </remarks>
public static class StackQuery
{
    private const int MaxDistinct = 1 << 20;

    /// <summary>Reads the stacks of the events that <paramref name="filter"/> lets through, as one tree.</summary>
    /// <returns>The root, which counts nothing where the filter leaves nothing.</returns>
    /// <exception cref="KprobeTraceException">No event that is left has a stack or a caller, or the filter is wrong.</exception>
    public static StackNode Read(TraceHistory history, EventFilter filter, CancellationToken cancellation = default) =>
        Read(history, filter, MaxDistinct, cancellation);

    /// <summary>The same, with <paramref name="most"/> different stacks of a run at most.</summary>
    internal static StackNode Read(TraceHistory history, EventFilter filter, int most, CancellationToken cancellation = default)
    {
        SqliteDatabase database = history.Database;
        using CancellationTokenRegistration registration = cancellation.Register(database.Interrupt);
        StackNode root = new("all");
        long left = filter.Limit;
        bool any = false;
        foreach (long run in EventSelection.Runs(database, filter.Run))
        {
            Dictionary<(long Stack, long Caller, long Probe, long Comm), long> counts = [];
            bool stacks = Count(database, filter, run, counts, most, ref left, ref any);
            AddTo(root, database, run, counts, stacks);
            if (filter.Limit > 0 && left == 0)
            {
                break;
            }
        }

        return root.Count > 0 || !any
            ? root
            : throw new KprobeTraceException(
                "no event has a stack or a known caller; record with the argument 'stack' to have them");
    }

    private static bool Count(
        SqliteDatabase database,
        EventFilter filter,
        long run,
        Dictionary<(long Stack, long Caller, long Probe, long Comm), long> counts,
        int most,
        ref long left,
        ref bool any)
    {
        bool stacks = database.ScalarInt64($"SELECT EXISTS (SELECT 1 FROM kt_frame WHERE run = {run})") != 0;
        using SqliteStatement statement = EventSelection.Prepare(
            database, filter with { Limit = left, HitsOnly = filter.Kinds.Count == 0 }, run, "e.stack, e.caller, e.probe, e.comm");
        while (statement.Step())
        {
            left -= Math.Min(left, 1);
            any = true;
            long stack = statement.Int64(0);
            long caller = stacks ? 0 : statement.Int64(1);
            if (stack == 0 && caller == 0)
            {
                continue;
            }

            CollectionsMarshal.GetValueRefOrAddDefault(
                counts, (stack, caller, statement.Int64(2), statement.Int64(3)), out _)++;
            if (counts.Count > most)
            {
                throw new KprobeTraceException(
                    $"there are more than {most:N0} different stacks; choose fewer events with --probe or --comm");
            }
        }

        return stacks;
    }

    private static void AddTo(
        StackNode root,
        SqliteDatabase database,
        long run,
        Dictionary<(long Stack, long Caller, long Probe, long Comm), long> counts,
        bool stacks)
    {
        Dictionary<long, string> probes = Names(
            database, $"SELECT probe, CASE symbol WHEN '' THEN name ELSE symbol END FROM kt_probe WHERE run = {run}");
        Dictionary<long, string> comms = Names(database, "SELECT comm, name FROM kt_comm");
        Dictionary<long, string[]> frames = [];
        using SqliteStatement frame = database.Prepare(stacks
            ? "SELECT l.symbol FROM kt_frame f JOIN kt_place l ON l.place = f.place WHERE f.run = ?1 AND f.stack = ?2 ORDER BY f.depth DESC"
            : "SELECT symbol FROM kt_place WHERE ?1 = ?1 AND place = ?2");
        foreach (((long stack, long caller, long probe, long comm), long count) in counts)
        {
            long key = stacks ? stack : caller;
            if (!frames.TryGetValue(key, out string[]? names))
            {
                List<string> list = [];
                _ = frame.Bind(1, run).Bind(2, key);
                while (frame.Step())
                {
                    list.Add(frame.Text(0));
                }

                frame.Reset();
                frames.Add(key, names = [.. list]);
            }

            StackNode node = root.Descend(comms.GetValueOrDefault(comm, "(no task)"), count);
            string last = "";
            foreach (string name in names)
            {
                node = node.Descend(name, count);
                last = name;
            }

            // A stack may begin with the probed function itself.
            if (probes.TryGetValue(probe, out string? leaf) && leaf != last)
            {
                node = node.Descend(leaf, count);
            }

            node.Self += count;
            root.Count += count;
        }
    }

    private static Dictionary<long, string> Names(SqliteDatabase database, string sql)
    {
        Dictionary<long, string> names = [];
        using SqliteStatement statement = database.Prepare(sql);
        while (statement.Step())
        {
            names[statement.Int64(0)] = statement.Text(1);
        }

        return names;
    }
}
