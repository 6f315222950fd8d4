using System.Runtime.InteropServices;
using KprobeTrace.Store.BTree;
using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>Reads one trace in one pass into the trees of a new database.</summary>
/// <remarks>
/// Memory is bounded: what grows with the trace goes to the file as it comes; what is remembered (symbols, places,
/// task names, stacks, open calls) has a limit beyond which only some sharing is lost.
/// </remarks>
internal sealed partial class TraceImporter
{
    /// <summary>Where the arguments of an event stand, and before them what every row has.</summary>
    private static readonly int _leastOfEvent = HistoryTables.Event["args"];

    private readonly TraceReader _trace;
    private readonly Loaders _loaders;
    private readonly long _run;
    private readonly SequenceSpool _spool;
    private readonly SymbolMap _symbols = new();
    private readonly PlaceTable _places;
    private readonly CommTable _comms;
    private readonly StackTable _stacks;
    private readonly KeptTable _kept;
    private readonly CallPairing _pairing = new();
    private readonly ArgumentJson _json = new();
    private readonly Dictionary<ulong, long> _tallies = [];
    private readonly RecordBuilder _record = new();
    private readonly ImportOptions _options;
    private ImportedProbe?[] _probes = new ImportedProbe?[256];
    private ulong _lastSeq;
    private ulong _lastTime;
    private ulong _lastTallyKey;
    private long _lastTallyCount;

    internal TraceImporter(TraceReader trace, Loaders loaders, SequenceSpool spool, ImportNumbers numbers, ImportOptions options)
    {
        _trace = trace;
        _loaders = loaders;
        _spool = spool;
        _options = options;
        _run = numbers.Run;
        _places = new PlaceTable(_symbols, loaders.Places, _run, numbers.LastPlace, options.PlacesRemembered);
        _comms = new CommTable(loaders.Comms, numbers.LastComm);
        _stacks = new StackTable(_places, loaders.Frames, _run);
        _kept = new KeptTable(loaders.Kept, numbers.LastKept);
    }

    /// <summary>Events stored.</summary>
    internal long Events { get; private set; }

    /// <summary>Sequence number of the first event stored.</summary>
    internal ulong FirstSeq { get; private set; }

    /// <summary>Sequence number of the last event stored.</summary>
    internal ulong LastSeq => _lastSeq;

    /// <summary>Virtual time of the last event stored.</summary>
    internal ulong LastTimeNs => _lastTime;

    /// <summary>Instructions retired before the last event stored.</summary>
    internal ulong LastInstructions { get; private set; }

    /// <summary>True while time has never gone back from one event to the next.</summary>
    internal bool TimeRises { get; private set; } = true;

    /// <summary>The probes that were seen, by their number.</summary>
    internal SortedDictionary<int, ImportedProbe> Probes { get; } = [];

    /// <summary>Events by probe, kind and task name; the same key may come twice.</summary>
    internal List<(ulong Key, long Count)> Tallies { get; } = [];

    internal static int TallyProbe(ulong key) => (int)(key >> 33);

    internal static int TallyKind(ulong key) => (int)(key >> 31) & 3;

    /// <summary>The number of the task name in a tally's key, 0 where the task is unknown.</summary>
    internal static long TallyComm(ulong key) => (long)(key & 0x7FFF_FFFF);

    /// <summary>True where the trace ends in a footer, which counts the hits of each probe.</summary>
    internal bool HasFooter => _trace.Footer is not null;

    /// <summary>Reads the whole trace.</summary>
    internal void Read()
    {
        while (_trace.ReadChunk())
        {
            _options.Cancellation.ThrowIfCancellationRequested();
            switch (_trace.Kind)
            {
                case TraceChunkKind.Events:
                    AddEvents(_options.Cancellation);
                    break;
                case TraceChunkKind.Probes:
                    foreach (TraceProbe probe in _trace.Probes)
                    {
                        Define(probe);
                    }

                    break;
                case TraceChunkKind.Symbols:
                    AddSymbols();
                    break;
                case TraceChunkKind.Console:
                    AddConsole();
                    break;
                case TraceChunkKind.TextPokes:
                    AddTextPokes();
                    break;
                case TraceChunkKind.Notes:
                    AddNotes();
                    break;
                default:
                    break;
            }

            _options.Progress?.Invoke(_trace.Length == 0 ? 1 : (double)_trace.Position / _trace.Length);
        }

        FlushTally();
        FlushTallies();
        if (_trace.Footer is { } footer)
        {
            foreach (TraceProbeCount count in footer.Probes)
            {
                ImportedProbe probe = ProbeOf(count.ProbeId & int.MaxValue);
                probe.HitCount = count.Hits;
                probe.Missed = count.Missed;
                probe.State = count.State;
            }
        }

        _spool.Drain((probe, seq, kind) =>
        {
            _record.Begin();
            _record.Integer(_run);
            _record.Integer((long)probe);
            _record.Integer(seq);
            _record.Integer((long)kind);
            _loaders.EventsByProbe.Add(_record.End());
        });
    }

    private void AddEvents(CancellationToken cancellation)
    {
        ReadOnlySpan<TraceEvent> events = _trace.Events;
        for (int i = 0; i < events.Length; i++)
        {
            ref readonly TraceEvent e = ref events[i];
            AddEvent(in e, i);
            if ((i & 0x3FFF) == 0x3FFF)
            {
                cancellation.ThrowIfCancellationRequested();
            }
        }
    }

    private void AddEvent(in TraceEvent e, int index)
    {
        _lastSeq = e.Seq;
        FirstSeq = Events++ == 0 ? e.Seq : FirstSeq;
        LastInstructions = e.Instructions;
        TimeRises &= unchecked((long)e.TimeNs >= (long)_lastTime);
        _lastTime = e.TimeNs;
        int id = e.ProbeId & int.MaxValue;
        ImportedProbe probe = ProbeOf(id);
        if (probe.EventAddress == 0)
        {
            probe.EventAddress = e.Address;
        }

        bool hasTask = (e.Parts & TraceEventParts.Task) != 0;
        long comm = hasTask ? _comms.Of(in e.Comm) : 0;
        long caller = e.Caller != 0 ? _places.Of(e.Caller) : 0;
        int kind = (int)e.Kind & Schema.KindMask;
        AddEventRow(in e, index, probe, comm, caller);
        _spool.Add(probe.Hits, e.Seq, StoredKind(in e));
        if (TimeRises)
        {
            _record.Begin();
            _record.Integer(_run);
            _record.Integer(e.TimeNs);
            _record.Integer(e.Seq);
            _record.Integer((long)id);
            _loaders.EventsByTime.Add(_record.End());
        }

        if ((e.Parts & TraceEventParts.Registers) != 0)
        {
            AddRegisters(in e);
        }

        if (e.Kind == TraceEventKind.Return)
        {
            AddCall(in e, comm, caller);
        }
        else if (e.Kind == TraceEventKind.Fault)
        {
            AddFault(in e);
        }
        else if (e.Kind == TraceEventKind.Pre && _pairing.Watches(e.Address) && probe.Definition.Type == 'p')
        {
            _pairing.Enter(e.Pid, e.Address, e.Seq, e.TimeNs);
        }

        Tally(((ulong)id << 33) | ((ulong)kind << 31) | ((ulong)comm & 0x7FFF_FFFF));
    }

    private void AddEventRow(in TraceEvent e, int index, ImportedProbe probe, long comm, long caller)
    {
        ReadOnlySpan<byte> json = _json.Convert(_trace.GetArguments(index), probe.ArgumentKeys);
        ReadOnlySpan<ulong> stack = _trace.GetStack(index);
        EventRow row = new()
        {
            Run = _run,
            Seq = (long)e.Seq,
            TimeNs = (long)e.TimeNs,
            Insn = (long)e.Instructions,
            Cpu = e.Cpu,
            Kind = StoredKind(in e),
            Probe = e.ProbeId & int.MaxValue,
            Pid = comm == 0 ? null : e.Pid,
            Comm = comm == 0 ? null : comm,
            Caller = caller == 0 ? null : caller,
            Args = json.IsEmpty ? null : 0, // where the text stands
            Link = e.EntrySeq == 0 ? null : (long)(e.Seq - e.EntrySeq),
            Stack = stack.IsEmpty ? null : _stacks.Of(stack),
            Address = e.Address == probe.EventAddress ? null : (long)e.Address,
        };

        // The record ends with the last column that holds something.
        ReadOnlySpan<long?> cells = HistoryTable.Cells(in row);
        int count = cells.Length;
        while (count > _leastOfEvent && cells[count - 1] is null)
        {
            count--;
        }

        _record.Begin();
        _record.Cells(cells[..count], _leastOfEvent, json);
        _loaders.Events.Add(_record.End());
    }

    private static int StoredKind(in TraceEvent e)
    {
        const ulong InterruptFlag = 1 << 9;
        int kind = (int)e.Kind & Schema.KindMask;
        kind |= (e.Parts & TraceEventParts.Truncated) != 0 ? Schema.KindTruncated : 0;
        bool isOff = (e.Parts & TraceEventParts.Registers) != 0 && (e.Registers.Flags & InterruptFlag) == 0;
        return kind | (isOff ? Schema.KindInterruptsOff : 0);
    }

    private void AddRegisters(in TraceEvent e)
    {
        ref readonly TraceRegisters registers = ref e.Registers;
        RecordBuilder record = _record;
        record.Begin();
        record.Integer(_run);
        record.Integer(e.Seq);
        record.Integers(registers.AsReadOnlySpan(), RegisterColumns.Own);
        record.Integer(_kept.Of(in registers));
        _loaders.Registers.Add(record.End());
    }

    private void AddFault(in TraceEvent e)
    {
        FaultRow row = new()
        {
            Run = _run,
            Seq = (long)e.Seq,
            Vector = e.Vector,
            ErrorCode = e.ErrorCode,
            Cr2 = (long)e.Cr2,
            Handled = (e.Parts & TraceEventParts.Handled) != 0 ? 1 : 0,
        };
        _record.Begin();
        _record.Cells(HistoryTable.Cells(in row));
        _loaders.Faults.Add(_record.End());
    }

    private void AddCall(in TraceEvent e, long comm, long caller)
    {
        ulong entrySeq = e.EntrySeq;
        ulong entryTime = e.EntryTimeNs;
        bool known = _pairing.Return(e.ProbeId & int.MaxValue, e.Pid, e.Address, e.TimeNs, ref entrySeq, ref entryTime);
        if (!known)
        {
            return;
        }

        CallRow row = new()
        {
            Run = _run,
            ReturnSeq = (long)e.Seq,
            Entry = entrySeq == 0 ? null : (long)(e.Seq - entrySeq),
            Probe = e.ProbeId & int.MaxValue,
            Pid = comm == 0 ? null : e.Pid,
            Comm = comm == 0 ? null : comm,
            DurationNs = (long)(e.TimeNs - entryTime),
            Retval = (e.Parts & TraceEventParts.Registers) == 0 ? null : (long)e.Registers.Ax,
            Caller = caller == 0 ? null : caller,
        };
        _record.Begin();
        _record.Cells(HistoryTable.Cells(in row));
        _loaders.Calls.Add(_record.End());
    }

    private void Tally(ulong key)
    {
        if (key == _lastTallyKey && _lastTallyCount > 0)
        {
            _lastTallyCount++;
            return;
        }

        FlushTally();
        _lastTallyKey = key;
        _lastTallyCount = 1;
    }

    private void FlushTally()
    {
        if (_lastTallyCount > 0)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(_tallies, _lastTallyKey, out _) += _lastTallyCount;
            _lastTallyCount = 0;
            if (_tallies.Count >= _options.TalliesRemembered)
            {
                FlushTallies();
            }
        }
    }

    private void FlushTallies()
    {
        // Only a trace that means harm has more than this; its counts by task name are then cut short.
        if (Tallies.Count < 4 * _options.TalliesRemembered)
        {
            foreach ((ulong key, long count) in _tallies)
            {
                Tallies.Add((key, count));
            }
        }

        _tallies.Clear();
    }

    private ImportedProbe ProbeOf(int id)
    {
        if ((uint)id < (uint)_probes.Length && _probes[id] is { } known)
        {
            return known;
        }

        return Probes.TryGetValue(id, out ImportedProbe? probe)
            ? probe
            : Define(new TraceProbe { Id = id, Type = 'p', Name = $"probe_{(uint)id}", State = "unknown" });
    }

    private ImportedProbe Define(TraceProbe definition)
    {
        if (Probes.TryGetValue(definition.Id, out ImportedProbe? probe))
        {
            probe.Redefine(definition);
        }
        else
        {
            if (Probes.Count >= _options.MostProbes)
            {
                throw new KprobeTraceException($"the trace defines more than {_options.MostProbes:N0} probes; it is damaged");
            }

            probe = new ImportedProbe(definition, _spool.ListOf(definition.Id));
            Probes.Add(definition.Id, probe);
            if ((uint)definition.Id < 1 << 16)
            {
                if (definition.Id >= _probes.Length)
                {
                    Array.Resize(ref _probes, Math.Max(_probes.Length * 2, definition.Id + 1));
                }

                _probes[definition.Id] = probe;
            }
        }

        if (definition.Type == 'r' && definition.Address != 0)
        {
            _pairing.Watch(definition.Address);
        }

        return probe;
    }
}
