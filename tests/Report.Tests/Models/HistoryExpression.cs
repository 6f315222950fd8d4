namespace KprobeTrace.Tests.Report.Models;

/// <summary>An SQL expression over the rows of a view together with what it means.</summary>
/// <param name="Sql">The expression.</param>
/// <param name="Of">Its value: null, <see cref="long"/>, <see cref="double"/> or text.</param>
internal sealed record HistoryExpression<TRow>(string Sql, Func<TRow, object?> Of)
{
    public override string ToString() => Sql;
}
