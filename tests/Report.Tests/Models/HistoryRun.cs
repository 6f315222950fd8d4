namespace KprobeTrace.Tests.Report.Models;

/// <summary>A run of a database, computed from its history in the most obvious way that docs/schema.md allows.</summary>
internal sealed class HistoryRun
{
    private const ulong ReachOfUnknownSize = 1 << 20;

    internal HistoryRun(long run, History history)
    {
        Run = run;
        History = history;
        Rows = [.. history.Events.Select(e => new HistoryRow(run, e, HistoryJson.Of(e), e.Caller == 0 ? null : Name(e.Caller)))];
        Calls = Pair();
    }

    /// <summary>Its number.</summary>
    internal long Run { get; }

    /// <summary>What the trace tells.</summary>
    internal History History { get; }

    /// <summary>The view <c>events</c>.</summary>
    internal IReadOnlyList<HistoryRow> Rows { get; }

    /// <summary>The view <c>calls</c>, by the number of the return.</summary>
    internal IReadOnlyList<HistoryCall> Calls { get; }

    /// <summary>The rows that count as hits: of a probe that has no <c>pre</c> and no <c>ret</c> whatever it has.</summary>
    internal IEnumerable<HistoryRow> Hits => Rows.Where(r => r.IsHit || !Rows.Any(o => o.Probe == r.Probe && o.IsHit));

    /// <summary>The function whose symbol an address falls in.</summary>
    internal HistoryFunction? Find(ulong address)
    {
        HistoryFunction? last = History.Functions.Where(f => f.Address <= address).MaxBy(static f => f.Address);
        return last is not null && address - last.Address < (last.Size == 0 ? ReachOfUnknownSize : last.Size) ? last : null;
    }

    /// <summary>An address as <c>symbol+0xoffset</c>, without an offset at the first byte.</summary>
    internal string Name(ulong address) =>
        Find(address) is not { } function ? $"0x{address:x}"
        : address == function.Address ? function.Name : $"{function.Name}+0x{address - function.Address:x}";

    /// <summary>Pairs returns with entries by a list of those that are open.</summary>
    private List<HistoryCall> Pair()
    {
        List<HistoryCall> calls = [];
        List<HistoryRow> open = [];
        foreach (HistoryRow row in Rows)
        {
            if (row.Kind == "pre" && row.Event.Probe.Definition.Type == 'p'
                && History.Probes.Any(p => p.IsReturn && p.Definition.Address == row.Event.Probe.Definition.Address)
                && !open.Any(o => SameFunction(o, row) && o.TimeNs == row.TimeNs))
            {
                open.Add(row);
            }
            else if (row.Kind == "ret" && Pair(row, open, calls) is { } call)
            {
                calls.Add(call);
            }
        }

        return calls;
    }

    private static HistoryCall? Pair(HistoryRow row, List<HistoryRow> open, List<HistoryCall> calls)
    {
        // Several return probes of one function tell of the same return.
        if (calls.LastOrDefault(c => SameFunction(c.Return, row)) is { } same && same.Return.TimeNs == row.TimeNs)
        {
            return same with { Return = row };
        }

        HistoryRow? entry = open.LastOrDefault(o => SameFunction(o, row)
            && (row.Event.EntrySeq == 0 || row.Event.EntrySeq == o.Event.Seq)
            && (row.Event.EntryTimeNs == 0 || row.Event.EntryTimeNs == o.Event.TimeNs));
        long? entered = entry?.TimeNs ?? (row.Event.EntryTimeNs == 0 ? null : (long)row.Event.EntryTimeNs);
        if (entered is not { } time)
        {
            return null;
        }

        // What the task entered later and has not left, it never leaves.
        open.RemoveAll(o => SameFunction(o, row) && o.TimeNs >= time);
        return new HistoryCall(row, entry?.Seq ?? row.EntrySeq, time);
    }

    /// <summary>Whether two events are of one function in one task; a guest without tasks runs what later is task 0.</summary>
    private static bool SameFunction(HistoryRow a, HistoryRow b) => (a.Pid ?? 0) == (b.Pid ?? 0) && a.Address == b.Address;
}
