using System.Numerics;
using System.Runtime.InteropServices;

namespace KprobeTrace.Tracing;

/// <summary>Turns the payload of an event chunk back into events, trusting none of it.</summary>
/// <remarks>The mirror image of <see cref="EventEncoder"/>; rules: docs/trace-format.md, "Event chunks".</remarks>
internal sealed unsafe class EventDecoder : IDisposable
{
    private readonly List<(int Probe, TraceEventKind Kind, TraceEventParts Parts)> _streams = [];
    private readonly List<(int Pid, TraceComm Comm)> _tasks = [];
    private readonly List<(int Start, int Length)> _stacks = [];
    private readonly (int Start, int Length)[] _codes = new (int, int)[EventFields.Count];
    private readonly (int Start, int Length)[] _deltas = new (int, int)[EventFields.Count];
    private ulong[] _stackEntries = new ulong[256];
    private ulong[] _references = [];
    private bool[] _seen = [];
    private TraceEvent[] _events = [];
    private (int Start, int Length)[] _arguments = [];
    private int[] _eventStacks = [];
    private (int Start, int Length) _stream;
    private (int Start, int Length) _instructions;
    private (int Start, int Length) _masks;
    private int _argumentsStart;
    private int _argumentCount;

    // SAFETY: Count columns of fixed size, from NativeMemory, freed in Dispose.
    private Column* _columns = (Column*)NativeMemory.Alloc((nuint)sizeof(Column) * EventFields.Count);

    /// <summary>Frees the columns if <see cref="Dispose"/> was never called.</summary>
    ~EventDecoder() => Free();

    /// <summary>Events of the chunk.</summary>
    internal int Count { get; private set; }

    internal ReadOnlySpan<TraceEvent> Events => _events.AsSpan(0, Count);

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>Where in the payload the arguments of an event stand.</summary>
    internal (int Start, int Length) ArgumentsOf(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
        return _arguments[index];
    }

    internal ReadOnlySpan<ulong> StackOf(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
        int stack = _eventStacks[index];
        return stack == 0 ? default : _stackEntries.AsSpan(_stacks[stack - 1].Start, _stacks[stack - 1].Length);
    }

    /// <summary>Forgets the chunk.</summary>
    internal void Clear() => Count = 0;

    /// <summary>Decodes a chunk of <paramref name="count"/> events, the first numbered <paramref name="first"/>.</summary>
    /// <exception cref="MalformedTraceException">The payload breaks a rule; nothing of it is delivered.</exception>
    internal void Decode(ReadOnlySpan<byte> payload, ulong first, int count)
    {
        ObjectDisposedException.ThrowIf(_columns == null, this);
        Count = 0;
        if (count is 0 or > TraceFormat.MaxEventsPerChunk || first == 0 || first > ulong.MaxValue - (uint)count)
        {
            throw new MalformedTraceException($"{count} events from number {first} are out of range");
        }

        Reserve(count);
        ReadTables(payload, count);
        ReadArguments(payload, count);
        fixed (byte* start = payload)
        {
            DecodeEvents(start, first, count);
        }

        Count = count;
    }

    private static (int Start, int Length) SkipArray(ref MessagePackCursor cursor, int count)
    {
        if (cursor.ReadArrayHeader() is int found && found != count)
        {
            throw new MalformedTraceException($"a column has {found} values for {count} events");
        }

        int start = cursor.Position;
        cursor.SkipIntegers(count);
        return (start, cursor.Position - start);
    }

    private void ReadTables(ReadOnlySpan<byte> payload, int count)
    {
        _streams.Clear();
        _tasks.Clear();
        _stacks.Clear();
        _codes.AsSpan().Clear();
        _deltas.AsSpan().Clear();
        _stream = _instructions = _masks = default;
        _argumentsStart = -1;
        _argumentCount = 0;
        MessagePackCursor cursor = new(payload);
        for (int keys = cursor.ReadMapHeader(); keys > 0; keys--)
        {
            switch (cursor.ReadString())
            {
                case "streams":
                    ReadStreams(ref cursor, count);
                    break;
                case "tasks":
                    ReadTasks(ref cursor, count);
                    break;
                case "stacks":
                    ReadStacks(ref cursor, count);
                    break;
                case "stream":
                    _stream = SkipArray(ref cursor, count);
                    break;
                case "insn":
                    _instructions = SkipArray(ref cursor, count);
                    break;
                case "mask":
                    _masks = SkipArray(ref cursor, count);
                    break;
                case "args":
                    _argumentsStart = cursor.Position;
                    cursor.Skip();
                    break;
                case "fields":
                    ReadFields(ref cursor);
                    break;
                default:
                    cursor.Skip();
                    break;
            }
        }

        if (!cursor.AtEnd)
        {
            throw new MalformedTraceException($"bytes are left behind the payload's map at offset {cursor.Position}");
        }

        if (_stream.Length == 0 || _instructions.Length == 0 || _masks.Length == 0)
        {
            throw new MalformedTraceException("a column is missing");
        }
    }

    private void ReadStreams(ref MessagePackCursor cursor, int count)
    {
        _streams.Clear(); // a hostile payload may have the key twice
        int streams = AtMost(cursor.ReadArrayHeader(), count, "streams");
        for (int i = 0; i < streams; i++)
        {
            Expect(cursor.ReadArrayHeader(), 3, "stream");
            int probe = cursor.ReadInt32(int.MinValue, int.MaxValue);
            TraceEventKind kind = (TraceEventKind)cursor.ReadInt32(0, (int)TraceEventKind.Return);
            _streams.Add((probe, kind, (TraceEventParts)cursor.ReadInt32(0, byte.MaxValue)));
        }

        if (_references.Length < streams * EventFields.Stride)
        {
            _references = new ulong[streams * EventFields.Stride];
            _seen = new bool[streams];
        }

        _seen.AsSpan().Clear();
    }

    private void ReadTasks(ref MessagePackCursor cursor, int count)
    {
        _tasks.Clear();
        int tasks = AtMost(cursor.ReadArrayHeader(), count, "tasks");
        for (int i = 0; i < tasks; i++)
        {
            Expect(cursor.ReadArrayHeader(), 2, "task");
            int pid = cursor.ReadInt32(int.MinValue, int.MaxValue);
            ReadOnlySpan<byte> comm = cursor.ReadBytes();
            AtMost(comm.Length, TraceComm.Size, "bytes of a task's name");
            _tasks.Add((pid, new TraceComm(comm)));
        }
    }

    private void ReadStacks(ref MessagePackCursor cursor, int count)
    {
        _stacks.Clear();
        int stacks = AtMost(cursor.ReadArrayHeader(), count, "stacks");
        int used = 0;
        for (int i = 0; i < stacks; i++)
        {
            int depth = AtMost(cursor.ReadArrayHeader(), TraceFormat.MaxStackDepth, "stack entries");
            if (_stackEntries.Length - used < depth)
            {
                Array.Resize(ref _stackEntries, Math.Max(2 * _stackEntries.Length, used + depth));
            }

            for (int entry = 0; entry < depth; entry++)
            {
                _stackEntries[used + entry] = cursor.ReadUnsigned();
            }

            _stacks.Add((used, depth));
            used += depth;
        }
    }

    private void ReadFields(ref MessagePackCursor cursor)
    {
        for (int keys = cursor.ReadMapHeader(); keys > 0; keys--)
        {
            int field = EventFields.Names.IndexOf(cursor.ReadString());
            if (field < 0)
            {
                throw new MalformedTraceException("a field has a name that this version does not know");
            }

            Expect(cursor.ReadArrayHeader(), 2, "field");
            int codes = cursor.ReadBytes().Length;
            _codes[field] = (cursor.Position - codes, codes);
            int deltas = cursor.ReadArrayHeader();
            int start = cursor.Position;
            cursor.SkipIntegers(deltas);
            _deltas[field] = (start, cursor.Position - start);
        }
    }

    private void ReadArguments(ReadOnlySpan<byte> payload, int count)
    {
        if (_argumentsStart < 0)
        {
            throw new MalformedTraceException("the arguments are missing");
        }

        MessagePackCursor cursor = new(payload, _argumentsStart);
        _argumentCount = AtMost(cursor.ReadArrayHeader(), count, "argument arrays");
        for (int i = 0; i < _argumentCount; i++)
        {
            int start = cursor.Position;
            cursor.SkipArray();
            _arguments[i] = (start, cursor.Position - start);
        }
    }

    private void DecodeEvents(byte* payload, ulong first, int count)
    {
        // SAFETY: all column ranges were found by a cursor that stayed inside the payload, which the caller pins; the
        // readers below hold each step against the column's end.
        for (int i = 0; i < EventFields.Count; i++)
        {
            Column* column = _columns + i;
            column->Code = payload + _codes[i].Start;
            column->CodeEnd = column->Code + _codes[i].Length;
            column->Delta = payload + _deltas[i].Start;
            column->DeltaEnd = column->Delta + _deltas[i].Length;
            new Span<ulong>(column->Recent, EventFields.Slots).Clear();
        }

        Positions at = new()
        {
            Stream = payload + _stream.Start,
            StreamEnd = payload + _stream.Start + _stream.Length,
            Mask = payload + _masks.Start,
            MaskEnd = payload + _masks.Start + _masks.Length,
            Instruction = payload + _instructions.Start,
            InstructionEnd = payload + _instructions.Start + _instructions.Length,
        };
        ulong* none = stackalloc ulong[EventFields.Stride];
        new Span<ulong>(none, EventFields.Stride).Clear();
        at.Before = none;
        fixed (ulong* references = _references)
        {
            at.References = references;
            for (int i = 0; i < count; i++)
            {
                ref TraceEvent e = ref _events[i];
                e.Seq = first + (uint)i;
                _eventStacks[i] = DecodeEvent(ref at, ref e);
            }
        }

        if (at.Arguments != _argumentCount)
        {
            throw new MalformedTraceException($"{_argumentCount} argument arrays for {at.Arguments} events that have one");
        }

        SpreadArguments(count);
        RequireAllRead(in at);
    }

    /// <summary>Decodes one event and returns its stack's number. A method of its own so that it is soon compiled
    /// at full speed, however few chunks there are.</summary>
    private int DecodeEvent(ref Positions at, ref TraceEvent e)
    {
        long number = Next(ref at.Stream, at.StreamEnd);
        long mask = Next(ref at.Mask, at.MaskEnd);
        at.Instructions += (ulong)Next(ref at.Instruction, at.InstructionEnd);
        if ((ulong)number >= (ulong)_streams.Count || (ulong)mask >> EventFields.Count != 0)
        {
            throw new MalformedTraceException($"event {e.Seq} names no stream or field of the format");
        }

        // SAFETY: the stream's number is below the table's length, so its Stride elements lie within _references.
        ulong* reference = at.References + ((nint)number * EventFields.Stride);
        if (!_seen[number])
        {
            _seen[number] = true;
            Buffer.MemoryCopy(
                at.Before, reference, EventFields.Stride * sizeof(ulong), EventFields.Stride * sizeof(ulong));
        }

        DecodeChanges((uint)mask, reference, at.Before);
        (e.ProbeId, e.Kind, e.Parts) = _streams[(int)number];
        e.Instructions = at.Instructions;
        Fill(ref e, reference);
        at.Arguments += (int)(e.Parts & TraceEventParts.Arguments) / (int)TraceEventParts.Arguments;
        at.Before = reference;
        return (int)Within(reference[EventFields.Stack], (ulong)_stacks.Count, "stack");
    }

    private static long Next(ref byte* column, byte* end) =>
        MessagePackInteger.TryRead(ref column, end, out long value)
            ? value
            : throw new MalformedTraceException("a column ends before its events");

    private static ulong Within(ulong value, ulong limit, string what) =>
        value <= limit ? value : throw new MalformedTraceException($"{what} {value} is not in the chunk's table");

    private static int AtMost(int value, int limit, string what) =>
        value <= limit ? value : throw new MalformedTraceException($"{value} {what} where at most {limit} are allowed");

    private static void Expect(int found, int wanted, string what)
    {
        if (found != wanted)
        {
            throw new MalformedTraceException($"a {what} has {found} elements instead of {wanted}");
        }
    }

    private void DecodeChanges(uint mask, ulong* reference, ulong* before)
    {
        while (mask != 0)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            mask &= mask - 1;
            Column* column = _columns + i;
            if (column->Code >= column->CodeEnd)
            {
                throw new MalformedTraceException("a field has fewer codes than changes");
            }

            // The event before stands in as one more slot: what kind of code it is changes from event to event.
            byte code = *column->Code++;
            column->Recent[EventFields.AsBefore] = before[i];
            if (code != EventFields.Explicit)
            {
                reference[i] = column->Recent[code];
                continue;
            }

            ulong value = reference[i] + (ulong)Next(ref column->Delta, column->DeltaEnd);
            reference[i] = value;
            column->Recent[EventFields.Slot(value)] = value;
        }
    }

    private void Fill(ref TraceEvent e, ulong* fields)
    {
        if ((e.Parts & TraceEventParts.Registers) != 0)
        {
            new ReadOnlySpan<ulong>(fields, TraceRegisters.Count).CopyTo(e.Registers.AsSpan());
        }
        else
        {
            e.Registers = default;
        }

        if ((e.Parts & TraceEventParts.Task) != 0)
        {
            ulong task = fields[EventFields.Task];
            if (task >= (ulong)_tasks.Count)
            {
                throw new MalformedTraceException($"task {task} is not in the chunk's table");
            }

            (e.Pid, e.Comm) = _tasks[(int)task];
        }
        else
        {
            e.Pid = 0;
            e.Comm = default;
        }

        ulong back = fields[EventFields.Back];
        ulong duration = fields[EventFields.Duration];
        e.TimeNs = e.Instructions + fields[EventFields.Idle];
        e.Address = fields[EventFields.Address];
        e.Caller = fields[EventFields.Caller];
        e.Cr2 = fields[EventFields.Cr2];
        e.EntrySeq = back == 0 ? 0 : e.Seq - Within(back, e.Seq - 1, "entry");
        e.EntryTimeNs = duration == 0 ? 0 : e.TimeNs - duration + 1;
        e.Cpu = (ushort)Within(fields[EventFields.Cpu], ushort.MaxValue, "cpu");
        e.Vector = (byte)Within(fields[EventFields.Vector], byte.MaxValue, "vector");
        e.ErrorCode = (uint)Within(fields[EventFields.ErrorCode], uint.MaxValue, "error code");
    }

    /// <summary>Gives each event the range of its own argument array.</summary>
    private void SpreadArguments(int count)
    {
        int next = _argumentCount;
        for (int i = count - 1; i >= 0; i--)
        {
            // next <= i + 1 always holds, so an array's range is moved before it is overwritten.
            _arguments[i] = (_events[i].Parts & TraceEventParts.Arguments) != 0 ? _arguments[--next] : default;
        }
    }

    private void RequireAllRead(in Positions at)
    {
        bool all = at.Stream == at.StreamEnd && at.Mask == at.MaskEnd && at.Instruction == at.InstructionEnd;
        for (int i = 0; i < EventFields.Count; i++)
        {
            all &= _columns[i].Code == _columns[i].CodeEnd && _columns[i].Delta == _columns[i].DeltaEnd;
        }

        if (!all)
        {
            throw new MalformedTraceException("a column goes on behind its events");
        }
    }

    private void Reserve(int count)
    {
        if (_events.Length < count)
        {
            _events = new TraceEvent[count];
            _arguments = new (int, int)[count];
            _eventStacks = new int[count];
        }
    }

    private void Free()
    {
        NativeMemory.Free(_columns);
        _columns = null;
    }

    /// <summary>Where decoding stands in the columns that every event has a value in.</summary>
    private struct Positions
    {
        internal byte* Stream;
        internal byte* StreamEnd;
        internal byte* Mask;
        internal byte* MaskEnd;
        internal byte* Instruction;
        internal byte* InstructionEnd;
        internal ulong* References;
        internal ulong* Before;
        internal ulong Instructions;
        internal int Arguments;
    }

    private struct Column
    {
        internal byte* Code;
        internal byte* CodeEnd;
        internal byte* Delta;
        internal byte* DeltaEnd;
        internal fixed ulong Recent[EventFields.Slots + 1];
    }
}
