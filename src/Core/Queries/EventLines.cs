using System.Globalization;
using System.Text;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;

namespace KprobeTrace.Queries;

/// <summary>Prints events as lines like those of ftrace's <c>trace</c> file.</summary>
/// <remarks>
/// <c>comm-pid [cpu] ..... seconds.micros: event: (symbol+0xoff/0xsize) name=value …</c>; for a return
/// <c>(caller+0xoff/0xsize &lt;- symbol)</c>. Post and fault events, which ftrace does not have, say so behind the
/// parenthesis. Of the five flag characters the first says <c>d</c> where the guest had interrupts off; the others (need
/// of rescheduling, interrupt context, preemption and migration depth) a trace does not tell.
/// </remarks>
public sealed class EventLines
{
    private const string Columns =
        "e.seq, e.time_ns, e.cpu, e.kind, e.probe, e.pid, e.comm, e.caller, e.address, e.args";

    private const string FaultSql =
        "SELECT vector, error_code, cr2, handled FROM kt_fault WHERE run = ?1 AND seq = ?2";

    private readonly TraceHistory _history;
    private readonly SymbolLookup _symbols;
    private readonly BoundedCache<byte[]> _comms;
    private readonly BoundedCache<byte[]> _places;
    private readonly Dictionary<long, ProbeText> _probes = [];
    private long _run = -1;
    private SqliteStatement? _fault;

    /// <summary>Prints events of <paramref name="history"/>.</summary>
    public EventLines(TraceHistory history)
    {
        _history = history;
        _symbols = new SymbolLookup(history);
        _comms = new BoundedCache<byte[]>(ReadComm);
        _places = new BoundedCache<byte[]>(ReadPlace);
    }

    /// <summary>Print nine digits of a second instead of six.</summary>
    public bool Nanoseconds { get; init; }

    /// <summary>Writes the events that <paramref name="filter"/> lets through and returns how many.</summary>
    /// <exception cref="KprobeTraceException">The filter names what is not there, or its SQL is wrong.</exception>
    public long Write(EventFilter filter, Utf8Output output, CancellationToken cancellation = default)
    {
        SqliteDatabase database = _history.Database;
        SqlFunctions.Register(_history);
        using CancellationTokenRegistration registration = cancellation.Register(database.Interrupt);
        long written = 0;
        IReadOnlyList<long> runs = EventSelection.Runs(database, filter.Run);
        try
        {
            foreach (long run in runs)
            {
                if (runs.Count > 1)
                {
                    output.Write(string.Create(CultureInfo.InvariantCulture, $"# run {run}\n"));
                }

                EventFilter rest = filter.Limit > 0 ? filter with { Limit = filter.Limit - written } : filter;
                written += WriteRun(rest, run, output);
                if (filter.Limit > 0 && written >= filter.Limit)
                {
                    break;
                }
            }
        }
        catch (DatabaseException e) when (e.IsInterrupt)
        {
            cancellation.ThrowIfCancellationRequested();
            throw;
        }

        output.Flush();
        return written;
    }

    /// <summary>Hands over the first events of a run one by one, the body of each line as text.</summary>
    internal void Read(long run, long limit, Action<SqliteStatement, byte[]> visit)
    {
        SqliteDatabase database = _history.Database;
        ReadProbes(run);
        using SqliteStatement fault = database.Prepare(FaultSql);
        _fault = fault.Bind(1, run);
        using SqliteStatement row = database.Prepare(
            $"SELECT {Columns} FROM kt_event e WHERE e.run = ?1 ORDER BY e.seq LIMIT ?2");
        _ = row.Bind(1, run).Bind(2, limit);
        while (row.Step())
        {
            visit(row, Render(o => WriteBody(row, run, ProbeOf(row), row.Int32(3) & 3, o)));
        }
    }

    /// <summary>Writes the line of one event.</summary>
    /// <exception cref="KprobeTraceException">There is no such event.</exception>
    public void WriteOne(long run, long seq, Utf8Output output)
    {
        SqliteDatabase database = _history.Database;
        if (_run != run)
        {
            ReadProbes(run);
        }

        using SqliteStatement fault = database.Prepare(FaultSql);
        _fault = fault.Bind(1, run);
        using SqliteStatement row = database.Prepare($"SELECT {Columns} FROM kt_event e WHERE e.run = ?1 AND e.seq = ?2");
        if (!row.Bind(1, run).Bind(2, seq).Step())
        {
            throw new KprobeTraceException($"run {run} has no event {seq}");
        }

        WriteEvent(row, run, output);
    }

    private long WriteRun(EventFilter filter, long run, Utf8Output output)
    {
        SqliteDatabase database = _history.Database;
        ReadProbes(run);
        using SqliteStatement fault = database.Prepare(FaultSql);
        _fault = fault.Bind(1, run);
        using SqliteStatement events = EventSelection.Prepare(database, filter, run, Columns);
        long written = 0;
        while (events.Step())
        {
            WriteEvent(events, run, output);
            written++;
        }

        return written;
    }

    /// <exception cref="KprobeTraceException">The history has no such probe.</exception>
    private ProbeText ProbeOf(SqliteStatement row) =>
        _probes.GetValueOrDefault(row.Int64(4)) ?? throw EventSelection.UnknownProbe(row.Int64(0), row.Int64(4));

    private void WriteEvent(SqliteStatement row, long run, Utf8Output output)
    {
        int stored = row.Int32(3);
        int kind = stored & Schema.KindMask;
        ProbeText probe = ProbeOf(row);
        WriteTask(row, output);
        output.Write(" ["u8);
        output.WriteUnsigned(row.UInt64(2), 3);
        output.Write((stored & Schema.KindInterruptsOff) != 0 ? "] d.... "u8 : "] ..... "u8);
        WriteTime(row.UInt64(1), output);
        output.Write(": "u8);
        output.Write(probe.Name);
        output.Write(": "u8);
        WriteBody(row, run, probe, kind, output);
        output.WriteByte((byte)'\n');
    }

    /// <summary>Writes what stands behind the event's name.</summary>
    private void WriteBody(SqliteStatement row, long run, ProbeText probe, int kind, Utf8Output output)
    {
        output.WriteByte((byte)'(');
        if (kind == (int)TraceEventKind.Return)
        {
            long caller = row.Int64(7);
            output.Write(caller == 0 ? "?"u8 : _places.Of(caller));
            output.Write(" <- "u8);
            output.Write(probe.Symbol);
        }
        else if (row.IsNull(8))
        {
            output.Write(probe.Place);
        }
        else
        {
            WritePlace(row.UInt64(8), run, output);
        }

        output.WriteByte((byte)')');
        if (kind == (int)TraceEventKind.Post)
        {
            WriteKind(TraceEventKind.Post, output);
        }
        else if (kind == (int)TraceEventKind.Fault)
        {
            WriteFault(row.Int64(0), output);
        }

        ReadOnlySpan<byte> arguments = row.Utf8(9);
        if (!arguments.IsEmpty)
        {
            ArgumentText.Write(arguments, probe.Arguments, output, address => WritePlace(address, run, output));
        }
    }

    private static void WriteKind(TraceEventKind kind, Utf8Output output)
    {
        output.WriteByte((byte)' ');
        output.Write(TraceEventKinds.NameOf(kind));
    }

    private void WriteTask(SqliteStatement row, Utf8Output output)
    {
        const int CommWidth = 16;
        const int PidWidth = 7;
        ReadOnlySpan<byte> comm = row.IsNull(6) ? "<...>"u8 : _comms.Of(row.Int64(6));
        output.WriteBlanks(CommWidth - comm.Length);
        output.Write(comm);
        output.WriteByte((byte)'-');
        long pid = row.Int64(5);
        output.WriteInteger(pid);
        int digits = pid < 0 ? 2 : 1;
        for (long rest = Math.Abs(pid); rest >= 10; rest /= 10)
        {
            digits++;
        }

        output.WriteBlanks(PidWidth - digits);
    }

    private void WriteTime(ulong nanoseconds, Utf8Output output)
    {
        (ulong seconds, ulong rest) = Math.DivRem(nanoseconds, 1_000_000_000);
        output.WriteUnsigned(seconds);
        output.WriteByte((byte)'.');
        if (Nanoseconds)
        {
            output.WriteUnsigned(rest, 9);
        }
        else
        {
            output.WriteUnsigned(rest / 1000, 6);
        }
    }

    private void WriteFault(long seq, Utf8Output output)
    {
        SqliteStatement fault = _fault!;
        _ = fault.Bind(2, seq);
        if (fault.Step())
        {
            WriteKind(TraceEventKind.Fault, output);
            output.Write(" vector="u8);
            output.WriteInteger(fault.Int64(0));
            output.Write(" error="u8);
            output.WriteHex(fault.UInt64(1));
            output.Write(" cr2="u8);
            output.WriteHex(fault.UInt64(2));
            output.Write(fault.Int64(3) != 0 ? " handled"u8 : " unhandled"u8);
        }

        fault.Reset();
    }

    private void WritePlace(ulong address, long run, Utf8Output output)
    {
        if (!_symbols.Find(address, run, out TraceSymbol symbol))
        {
            output.WriteHex(address);
            return;
        }

        output.WriteName(Encoding.UTF8.GetBytes(symbol.Name));
        output.Write("+"u8);
        output.WriteHex(address - symbol.Address);
        output.WriteByte((byte)'/');
        output.WriteHex(symbol.Size);
        if (symbol.Module.Length > 0)
        {
            output.Write(" ["u8);
            output.WriteName(Encoding.UTF8.GetBytes(symbol.Module));
            output.WriteByte((byte)']');
        }
    }

    private byte[] ReadComm(long number)
    {
        using SqliteStatement statement = _history.Database.Prepare("SELECT name FROM kt_comm WHERE comm = ?1");
        _ = statement.Bind(1, number);
        return Render(o => o.WriteName(statement.Step() ? statement.Utf8(0) : "<...>"u8));
    }

    private byte[] ReadPlace(long number)
    {
        using SqliteStatement statement = _history.Database.Prepare(
            "SELECT symbol, offset, size, module, address FROM kt_place WHERE place = ?1");
        _ = statement.Bind(1, number);
        return Render(o =>
        {
            if (statement.Step())
            {
                o.WriteName(statement.Utf8(0));

                // An address without a symbol is its own name.
                if (statement.Text(0) != $"0x{statement.UInt64(4):x}")
                {
                    o.Write("+"u8);
                    o.WriteHex(statement.UInt64(1));
                    o.WriteByte((byte)'/');
                    o.WriteHex(statement.UInt64(2));
                }

                if (!statement.Utf8(3).IsEmpty)
                {
                    o.Write(" ["u8);
                    o.WriteName(statement.Utf8(3));
                    o.WriteByte((byte)']');
                }
            }
        });
    }

    private static byte[] Render(Action<Utf8Output> write)
    {
        using MemoryStream stream = new();
        using (Utf8Output output = new(stream, leaveOpen: true))
        {
            write(output);
        }

        return stream.ToArray();
    }

    private void ReadProbes(long run)
    {
        _run = run;
        _probes.Clear();
        using SqliteStatement statement = _history.Database.Prepare(
            "SELECT probe, name, symbol, event_address, offset FROM kt_probe WHERE run = ?1");
        using ProbeArguments arguments = new(_history.Database);
        _ = statement.Bind(1, run);
        while (statement.Step())
        {
            long id = statement.Int64(0);
            string symbol = statement.Text(2);
            ulong offset = statement.UInt64(4);
            ulong address = statement.UInt64(3);
            _probes[id] = new ProbeText(
                Render(o => o.WriteName(statement.Utf8(1))),
                Render(o => o.WriteName(statement.Utf8(2))),
                Render(o =>
                {
                    if (address == 0 && symbol.Length > 0)
                    {
                        o.WriteName(statement.Utf8(2));
                        o.Write("+"u8);
                        o.WriteHex(offset);
                    }
                    else
                    {
                        WritePlace(address, run, o);
                    }
                }),
                arguments.Of(run, id));
        }
    }

    /// <summary>The parts of a probe's lines that do not change.</summary>
    private sealed record ProbeText(byte[] Name, byte[] Symbol, byte[] Place, List<TraceArgument> Arguments);
}
