using System.Globalization;
using CsCheck;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>An SQL condition over the columns of <c>events</c> together with what it means.</summary>
/// <param name="Sql">The condition.</param>
/// <param name="Holds">Whether it holds of an event; null, which is not, where a value is not known.</param>
internal sealed record HistoryCondition(string Sql, Func<HistoryRow, bool?> Holds)
{
    /// <summary>Conditions over the columns of events, and over the arguments of the event that is named.</summary>
    internal static Gen<HistoryCondition> Of(IReadOnlyList<HistoryRow> rows, string? probe)
    {
        long[] times = [0, .. rows.Select(static r => r.TimeNs)];
        HistoryCondition[] plain =
        [
            new("caller IS NULL", static r => r.Caller is null), new("caller LIKE '%+0x%'", static r => r.Caller?.Contains("+0x", StringComparison.Ordinal)),
            new("entry_seq IS NOT NULL", static r => r.EntrySeq is not null), new("seq - entry_seq = 1", static r => r.EntrySeq is { } e ? r.Seq - e == 1 : null),
            new("truncated", static r => r.Event.IsTruncated), new("stack IS NULL", static r => r.Event.Stack.Count == 0),
            new("comm IS NULL", static r => r.Comm is null), new("pid > 10", static r => r.Pid > 10 ? true : r.Pid is null ? null : false),
            new("kind IN ('pre', 'fault')", static r => r.Kind is "pre" or "fault"), new("insn % 2 = 0", static r => r.Insn % 2 == 0),
            new("cpu = 0", static r => r.Cpu == 0), new("address = 0xffffffff81000000", static r => r.Address == unchecked((long)HistoryGen.Kernel)),
            new("offset = 0 -- a remark", static r => r.Offset == 0), new("args = '{}'", static r => r.Args == "{}"), new("name = 'open'", static r => r.Name == "open"),
            new("symbol = ''", static r => r.Symbol.Length == 0), new("seq", static r => r.Seq != 0), new("NULL", static _ => null),
        ];
        Gen<HistoryCondition> bySeq = Gen.Int[1, 20].Select(static n => new HistoryCondition(Text($"seq > {n}"), r => r.Seq > n));
        Gen<HistoryCondition> byTime = Gen.OneOf(times).Select(static t => new HistoryCondition(Text($"time_ns BETWEEN {t} AND {t + 1_000_000}"), r => r.TimeNs >= t && r.TimeNs <= t + 1_000_000));
        Gen<HistoryCondition> one = Gen.Frequency((5, Gen.OneOf(plain)), (1, bySeq), (1, byTime));
        if (probe is not null && rows.FirstOrDefault(r => r.Name == probe || $"{r.Event.Probe.Definition.Group}/{r.Name}" == probe)?.Event.Probe.Definition.Arguments is { Count: > 0 } arguments)
        {
            one = Gen.Frequency((1, one), (2, Gen.OneOf(arguments.Select(static a => a.Name).ToArray()).SelectMany(OfArgument)));
        }

        return Gen.Frequency((4, one), (1, Gen.Select(one, one, static (a, b) => new HistoryCondition($"{a.Sql}\nOR {b.Sql}", r => Or(a.Holds(r), b.Holds(r))))),
            (1, one.Select(static a => new HistoryCondition($"NOT ({a.Sql}\n)", r => !a.Holds(r)))));
    }

    public override string ToString() => Sql;

    /// <summary>An argument that is called as a column of <c>events</c> is the column <c>arg_…</c>.</summary>
    internal static string Column(string argument) =>
        argument.ToLowerInvariant() is "name" or "seq" or "comm" or "time_ns" ? $"\"arg_{argument}\"" : $"\"{argument}\"";

    private static Gen<HistoryCondition> OfArgument(string name) => Gen.OneOf(
        Gen.Const(new HistoryCondition($"{Column(name)} IS NULL", r => r.Argument(name) is null)),
        Gen.OneOf(HistoryValues.Words).Select(w => new HistoryCondition(Text($"{Column(name)} = {(long)w}"), r => r.Argument(name) is { } v ? v is long n && n == (long)w : null)),
        Gen.Int[0, 20].Select(n => new HistoryCondition(Text($"{Column(name)} < {n}"), r => r.Argument(name) is { } v ? v is long m && m < n : null)),
        Gen.Int[31, 33].Select(n => new HistoryCondition(
            Text($"typeof({Column(name)}) = 'text' AND length(cast({Column(name)} AS blob)) = {n}"),
            r => r.Argument(name) is string text && System.Text.Encoding.UTF8.GetByteCount(text) == n)));

    private static bool? Or(bool? a, bool? b) => a == true || b == true ? true : a is null || b is null ? null : false;

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
