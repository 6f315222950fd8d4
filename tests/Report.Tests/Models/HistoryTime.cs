using System.Globalization;
using CsCheck;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>A point of virtual time as an option takes it: a number with a unit, seconds without one.</summary>
/// <param name="Text">As it is typed.</param>
/// <param name="Ns">The nanoseconds that it means.</param>
internal sealed record HistoryTime(string Text, long Ns)
{
    private static readonly (string Unit, long Ns)[] _units = [("ns", 1), ("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000), ("", 1_000_000_000)];

    /// <summary>Times at, one before and one behind those that are given, in every unit.</summary>
    internal static Gen<HistoryTime> Near(IReadOnlyList<long> times) =>
        from at in Gen.OneOf(times.ToArray())
        from off in Gen.OneOf(0L, 0L, -1L, 1L, 1000L)
        from unit in Gen.OneOf(_units)
        select In(Math.Max(0, at + off), unit.Unit, unit.Ns);

    private static HistoryTime In(long ns, string unit, long size)
    {
        (long whole, long rest) = Math.DivRem(ns, size);
        string fraction = size == 1 || rest == 0 ? "" : "." + rest.ToString(CultureInfo.InvariantCulture).PadLeft(size.ToString(CultureInfo.InvariantCulture).Length - 1, '0').TrimEnd('0');
        return new HistoryTime(whole.ToString(CultureInfo.InvariantCulture) + fraction + unit, ns);
    }
}
