using System.Globalization;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;
using Parquet;
using Parquet.Schema;

namespace KprobeTrace.Export;

/// <summary>Writes Parquet files partitioned as <c>run=…/name=…</c>, so that an engine reads them as one data set.</summary>
/// <remarks>
/// Each file holds the events of one name in one run: columns of <c>events</c> but run and name (the folders say
/// them), the registers, and one column for each argument with the prefix <c>arg_</c>. Addresses, registers and arguments
/// of 64 unsigned bits have the logical type of unsigned numbers, so that they compare as such; all other numbers are
/// signed, so that their differences may be negative.
/// </remarks>
public static class ParquetExport
{
    private const int RowsPerGroup = 1 << 15;

    /// <summary>Columns of <c>events</c> but for what the folders say, and what tables of Parquet are not joined by.</summary>
    private static readonly Column[] _columns =
    [
        .. HistoryViews.Events.Columns.Select(static c => c.Column)
            .Where(static c => c.Name is not ("run" or "name" or "offset" or "args" or "stack" or "entry_seq" or "truncated")),
    ];

    private static readonly string[] _registers = TraceRegisters.Names.ToArray();

    /// <summary>Writes all runs, or the one that is named.</summary>
    /// <exception cref="KprobeTraceException">The folder exists already or cannot be written.</exception>
    public static void Write(TraceHistory history, string path, ExportOptions options) =>
        ExportTarget.Folder(path, folder =>
        {
            SqliteDatabase database = history.Database;
            IReadOnlyList<long> runs = EventSelection.Runs(database, options.Run);
            long all = runs.Sum(r => database.ScalarInt64($"SELECT events FROM kt_run WHERE run = {r}"));
            long done = 0;
            foreach (long run in runs)
            {
                ExportRun info = new(history, run);
                foreach (IGrouping<string, ExportProbe> group in info.Probes.Values.GroupBy(static p => p.Name))
                {
                    done += WriteName(database, info, [.. group], folder, options);
                    options.Progress?.Invoke((double)done / Math.Max(1, all));
                }
            }
        });

    private static long WriteName(
        SqliteDatabase database, ExportRun run, List<ExportProbe> probes, string folder, ExportOptions options)
    {
        string ids = string.Join(',', probes.Select(static p => p.Id));
        string registers = string.Join(", ", _registers);
        using SqliteStatement rows = database.Prepare(string.Create(CultureInfo.InvariantCulture, $"""
            SELECT e.seq, e.time_ns, e.insn, e.cpu, e.kind & 3, e.probe, e.address, e.pid, e.comm, e.args,
                   l.symbol || CASE l.offset WHEN 0 THEN '' ELSE printf('+0x%x', l.offset) END,
                   {registers}
            FROM kt_event e
            LEFT JOIN kt_reg r ON r.run = e.run AND r.seq = e.seq
            LEFT JOIN kt_kept k ON k.kept = r.kept
            LEFT JOIN kt_place l ON l.place = e.caller
            WHERE e.run = {run.Run} AND e.probe IN ({ids})
            """));
        if (!rows.Step())
        {
            return 0;
        }

        string target = Path.Combine(
            folder, string.Create(CultureInfo.InvariantCulture, $"run={run.Run}"), "name=" + Escape(probes[0].Name));
        _ = Directory.CreateDirectory(target);
        using FileStream stream = new(Path.Combine(target, "part-0.parquet"), FileMode.CreateNew, FileAccess.ReadWrite);
        Columns columns = new(probes);
        return columns.WriteAsync(rows, run, stream, options.Cancellation).GetAwaiter().GetResult();
    }

    /// <summary>A folder name as Hive writes it: everything but letters, digits, <c>_</c>, <c>-</c> and <c>.</c> in hexadecimal.</summary>
    private static string Escape(string name)
    {
        System.Text.StringBuilder text = new();
        foreach (byte value in System.Text.Encoding.UTF8.GetBytes(name))
        {
            char c = (char)value;
            _ = char.IsAsciiLetterOrDigit(c) || c is '_' or '-' || (c == '.' && text.Length > 0)
                ? text.Append(c)
                : text.Append(CultureInfo.InvariantCulture, $"%{value:X2}");
        }

        return text.ToString();
    }

    /// <summary>One row group in memory, column by column.</summary>
    private sealed class Columns
    {
        private readonly List<(string Name, ArgumentColumn Column)> _arguments;
        private readonly Dictionary<long, int[]> _positions = [];
        private readonly List<(DataField Field, long?[] Values)> _numbers = [];
        private readonly List<(DataField Field, ulong?[] Values)> _addresses = [];
        private readonly List<(DataField Field, string?[] Values)> _texts = [];
        private readonly List<DataField> _order = [];
        private readonly ArgumentValues _values = new();

        internal Columns(List<ExportProbe> probes)
        {
            _arguments = [.. probes.SelectMany(static p => p.Arguments).GroupBy(static a => a.Name).Select(Merge)];
            foreach (ExportProbe probe in probes)
            {
                _positions.Add(probe.Id, [.. _arguments.Select(a => IndexOf(probe.Arguments, a.Name))]);
            }

            foreach (Column column in _columns.OrderBy(static c => c.Type))
            {
                switch (column.Type)
                {
                    case ColumnType.Number:
                        AddNumber(column.Name);
                        break;
                    case ColumnType.Address:
                        AddAddress(column.Name);
                        break;
                    default:
                        AddText(column.Name);
                        break;
                }
            }

            foreach (string name in _registers)
            {
                AddAddress(name);
            }

            foreach ((string name, ArgumentColumn column) in _arguments)
            {
                switch (column)
                {
                    case ArgumentColumn.Text:
                        AddText("arg_" + name);
                        break;
                    case ArgumentColumn.Unsigned:
                        AddAddress("arg_" + name);
                        break;
                    default:
                        AddNumber("arg_" + name);
                        break;
                }
            }
        }

        internal async Task<long> WriteAsync(
            SqliteStatement rows, ExportRun run, Stream stream, CancellationToken cancellation)
        {
            ParquetWriter writer = await ParquetWriter.CreateAsync(
                new ParquetSchema(_order.ToArray<Field>()), stream, cancellationToken: cancellation).ConfigureAwait(false);
            await using (writer.ConfigureAwait(false))
            {
                long all = 0;
                int used = 0;
                bool more = true;
                while (more)
                {
                    Take(rows, run, used++);
                    more = rows.Step();
                    if (used == RowsPerGroup || !more)
                    {
                        await WriteGroupAsync(writer, used, cancellation).ConfigureAwait(false);
                        all += used;
                        used = 0;
                    }
                }

                return all;
            }
        }

        /// <summary>Probes of one name may type an argument differently: what one column can hold of all of them.</summary>
        private static (string Name, ArgumentColumn Column) Merge(IGrouping<string, TraceArgument> same) => (
            same.Key,
            same.Any(static a => !a.Kind.IsNumber) ? ArgumentColumn.Text
            : same.All(static a => a.Kind.IsUnsigned64) ? ArgumentColumn.Unsigned : ArgumentColumn.Signed);

        private static int IndexOf(IReadOnlyList<TraceArgument> arguments, string name)
        {
            for (int i = 0; i < arguments.Count; i++)
            {
                if (arguments[i].Name == name)
                {
                    return i;
                }
            }

            return -1;
        }

        private async Task WriteGroupAsync(ParquetWriter writer, int count, CancellationToken cancellation)
        {
            using ParquetRowGroupWriter group = writer.CreateRowGroup();
            Dictionary<DataField, long?[]> numbers = _numbers.ToDictionary(static n => n.Field, static n => n.Values);
            Dictionary<DataField, ulong?[]> addresses = _addresses.ToDictionary(static n => n.Field, static n => n.Values);
            Dictionary<DataField, string?[]> texts = _texts.ToDictionary(static n => n.Field, static n => n.Values);
            foreach (DataField field in _order)
            {
                if (numbers.TryGetValue(field, out long?[]? values))
                {
                    await group.WriteAsync<long>(field, values.AsMemory(0, count), cancellationToken: cancellation)
                        .ConfigureAwait(false);
                }
                else if (addresses.TryGetValue(field, out ulong?[]? unsigned))
                {
                    await group.WriteAsync<ulong>(field, unsigned.AsMemory(0, count), cancellationToken: cancellation)
                        .ConfigureAwait(false);
                }
                else
                {
                    await group.WriteAsync(field, new ArraySegment<string?>(texts[field], 0, count)!)
                        .ConfigureAwait(false);
                }
            }
        }

        private void Take(SqliteStatement row, ExportRun run, int index)
        {
            ExportProbe probe = run.ProbeOf(row.Int64(0), row.Int64(5));
            long?[] numbers =
            [
                row.Int64(0), row.Int64(1), row.Int64(2), row.Int64(3), row.Int64(5), row.IsNull(7) ? null : row.Int64(7),
            ];
            for (int i = 0; i < numbers.Length; i++)
            {
                _numbers[i].Values[index] = numbers[i];
            }

            _texts[0].Values[index] = TraceEventKinds.Names[row.Int32(4)];
            _texts[1].Values[index] = probe.Symbol;
            _texts[2].Values[index] = row.IsNull(8) ? null : System.Text.Encoding.UTF8.GetString(run.Comm(row.Int64(8)));
            _texts[3].Values[index] = row.TextOrNull(10);
            _addresses[0].Values[index] = row.IsNull(6) ? unchecked((ulong)probe.Address) : row.UInt64(6);
            for (int i = 0; i < _registers.Length; i++)
            {
                _addresses[1 + i].Values[index] = row.IsNull(11 + i) ? null : row.UInt64(11 + i);
            }

            _values.Read(row.Utf8(9));
            int number = numbers.Length;
            int address = 1 + _registers.Length;
            int text = 4;
            int[] positions = _positions[probe.Id];
            for (int i = 0; i < _arguments.Count; i++)
            {
                int position = positions[i];
                if (_arguments[i].Column == ArgumentColumn.Text)
                {
                    _texts[text++].Values[index] = position < 0 ? null : _values.Text(position);
                }
                else
                {
                    long? value = position < 0 ? null : _values.Number(position);
                    if (_arguments[i].Column == ArgumentColumn.Unsigned)
                    {
                        _addresses[address++].Values[index] = value is { } n ? unchecked((ulong)n) : null;
                    }
                    else
                    {
                        _numbers[number++].Values[index] = value;
                    }
                }
            }
        }

        private void AddNumber(string name)
        {
            DataField<long?> field = new(name);
            _numbers.Add((field, new long?[RowsPerGroup]));
            _order.Add(field);
        }

        private void AddAddress(string name)
        {
            DataField<ulong?> field = new(name);
            _addresses.Add((field, new ulong?[RowsPerGroup]));
            _order.Add(field);
        }

        private void AddText(string name)
        {
            DataField<string> field = new(name);
            _texts.Add((field, new string?[RowsPerGroup]));
            _order.Add(field);
        }
    }

    /// <summary>What a column of an argument holds.</summary>
    private enum ArgumentColumn
    {
        Text,
        Unsigned,
        Signed,
    }
}
