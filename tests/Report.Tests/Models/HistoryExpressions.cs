using System.Text;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Expressions over events and calls.</summary>
internal static class HistoryExpressions
{
    /// <summary>Numbers of events.</summary>
    internal static readonly HistoryExpression<HistoryRow>[] NumbersOfEvents =
    [
        new("pid", static r => r.Pid), new("cpu", static r => r.Cpu), new("seq % 3", static r => r.Seq % 3), new("time_ns / 1000", static r => r.TimeNs / 1000),
        new("entry_seq", static r => r.EntrySeq), new("address", static r => r.Address), new("seq * 1.5", static r => r.Seq * 1.5), new("-seq", static r => -r.Seq),
        new("(seq % 2) * 1000", static r => r.Seq % 2 * 1000), new("truncated", static r => r.Event.IsTruncated ? 1L : 0L), new("insn", static r => r.Insn),
        new("probe", static r => r.Probe), new("offset", static r => r.Offset),
    ];

    /// <summary>Texts of events, what is no number now and then, and numbers too large to be added up.</summary>
    internal static readonly HistoryExpression<HistoryRow>[] TextsOfEvents =
    [
        new("CASE WHEN seq % 2 THEN -9223372036854775807 - 1 ELSE 9223372036854775807 END", static r => r.Seq % 2 == 1 ? long.MinValue : long.MaxValue),
        new("symbol", static r => r.Symbol), new("name", static r => r.Name), new("comm", static r => r.Comm), new("caller", static r => r.Caller),
        new("kind", static r => r.Kind), new("upper(Kind)", static r => r.Kind.ToUpperInvariant()), new("comm || '/' || name", static r => r.Comm is null ? null : $"{r.Comm}/{r.Name}"),
        new("CASE seq % 3 WHEN 0 THEN NULL WHEN 1 THEN seq ELSE name END", static r => (r.Seq % 3) switch { 0 => null, 1 => r.Seq, _ => r.Name }),
    ];

    /// <summary>Numbers of calls.</summary>
    internal static readonly HistoryExpression<HistoryCall>[] NumbersOfCalls =
    [
        new("duration_ns", static c => c.DurationNs), new("retval", static c => c.RetVal), new("return_seq - entry_seq", static c => c.Return.Seq - c.EntrySeq),
        new("caller_address", static c => c.Return.Caller is null ? null : (long)c.Return.Event.Caller),
    ];

    /// <summary>The order of keys: NULL, numbers, texts by their bytes.</summary>
    internal static int Compare(object? a, object? b) => (a, b) switch
    {
        (null, null) => 0,
        (null, _) => -1,
        (_, null) => 1,
        (string x, string y) => Encoding.UTF8.GetBytes(x).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(y)),
        (string, _) => 1,
        (_, string) => -1,
        (long x, long y) => x.CompareTo(y),
        _ => Convert.ToDouble(a, null).CompareTo(Convert.ToDouble(b, null)),
    };
}
