using System.Runtime.InteropServices;
using KprobeTrace.Store.Sqlite;
using SQLitePCL;

namespace KprobeTrace.Queries;

/// <summary>The aggregate <c>percentile</c>, and those that name one percentile.</summary>
internal sealed unsafe class PercentileFunction : SqliteAggregate
{
    private readonly double _percent;
    private readonly PercentileBudget _budget;

    /// <param name="percent">The percentile, where the call does not name it.</param>
    /// <param name="budget">Memory for the values.</param>
    internal PercentileFunction(double percent, PercentileBudget budget)
        : base(sizeof(nint))
    {
        _percent = percent;
        _budget = budget;
    }

    /// <inheritdoc/>
    protected override void Add(FunctionContext context, void* state, ReadOnlySpan<nint> values)
    {
        try
        {
            int type = SqliteLibrary.NumericType(values[0]);
            if (type is not (raw.SQLITE_INTEGER or raw.SQLITE_FLOAT))
            {
                return;
            }

            nint* slot = (nint*)state;
            if (*slot == 0)
            {
                double percent = values.Length > 1 ? Percent(values[1]) : _percent;
                *slot = GCHandle.ToIntPtr(GCHandle.Alloc(new PercentileState(percent, _budget)));
            }

            PercentileState kept = (PercentileState)GCHandle.FromIntPtr(*slot).Target!;
            sqlite3_value value = new(values[0]);
            if (type == raw.SQLITE_INTEGER)
            {
                kept.Add(raw.sqlite3_value_int64(value));
            }
            else
            {
                kept.Add(raw.sqlite3_value_double(value));
            }
        }
        catch (Exception e)
        {
            SqlFunctions.Fail(context, e);
        }
    }

    /// <inheritdoc/>
    protected override void Finish(FunctionContext context, void* state)
    {
        try
        {
            nint* slot = (nint*)state;
            if (slot is null || *slot == 0)
            {
                raw.sqlite3_result_null(context);
                return;
            }

            GCHandle handle = GCHandle.FromIntPtr(*slot);
            using PercentileState kept = (PercentileState)handle.Target!;
            handle.Free();
            if (kept.Percent is not (>= 0 and <= 100))
            {
                raw.sqlite3_result_error(context, "percentile: the second argument goes from 0 to 100"u8);
            }
            else if (kept.Count == 0)
            {
                // Its first value could not be kept, and the query ended there.
                raw.sqlite3_result_null(context);
            }
            else if (kept.Integers)
            {
                raw.sqlite3_result_int64(context, kept.Integer());
            }
            else
            {
                raw.sqlite3_result_double(context, kept.Real());
            }
        }
        catch (Exception e)
        {
            SqlFunctions.Fail(context, e);
        }
    }

    /// <summary>No number, which is refused, for a text that SQLite would take for 0.</summary>
    private static double Percent(nint value) =>
        SqliteLibrary.NumericType(value) is raw.SQLITE_INTEGER or raw.SQLITE_FLOAT ? raw.sqlite3_value_double(new sqlite3_value(value)) : double.NaN;
}
