using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KprobeTrace.Tracing;

/// <summary>Turns events into the columns of one event chunk after another.</summary>
/// <remarks>
/// Each event is held against the event before it of the same stream (probe, kind, parts). Only the fields that
/// differ are written: as a slot in a table of the field's recent values, as "the value of the event before", or as
/// a difference. Rules: docs/trace-format.md, "Event chunks". Nothing is allocated for an event.
/// </remarks>
internal sealed unsafe class EventEncoder : IDisposable
{
    private readonly int _capacity;
    private readonly Action<ulong>? _newAddress;
    private readonly Dictionary<ulong, int> _streams = [];
    private readonly Dictionary<(int Pid, ulong Low, ulong High), int> _tasks = [];
    private readonly StackTable _stacks = new();
    private readonly MessagePackSink _streamRows = new();
    private readonly MessagePackSink _taskRows = new();
    private readonly MessagePackSink _arguments = new();
    private int _argumentCount;

    // A direct-mapped front of _streams; no stream has the key of an empty place.
    private readonly (ulong Key, int Stream)[] _streamFront = new (ulong, int)[1024];
    private (int Pid, ulong Low, ulong High)? _lastTask;
    private int _lastTaskIndex;
    private ulong _lastInstructions;

    // SAFETY: one block from NativeMemory, carved up by LayOut, freed in Dispose. Each column has room for
    // the longest form of every value that _capacity events can bring, and Add refuses to go beyond _capacity.
    private byte* _block;
    private Column* _columns;
    private ulong* _references;
    private byte* _streamStart;
    private byte* _instructionStart;
    private byte* _maskStart;
    private byte* _streamEnd;
    private byte* _instructionEnd;
    private byte* _maskEnd;
    private ulong* _before;

    internal EventEncoder(int capacity, Action<ulong>? newAddress)
    {
        _capacity = capacity;
        _newAddress = newAddress;
        _block = (byte*)NativeMemory.Alloc((nuint)LayOut(null));
        LayOut(_block);
        Clear();
    }

    /// <summary>Frees the columns if <see cref="Dispose"/> was never called.</summary>
    ~EventEncoder() => Free();

    /// <summary>Events in the chunk so far.</summary>
    internal int Count { get; private set; }

    /// <summary>True when the chunk must be taken before another event is added.</summary>
    internal bool Full => Count >= _capacity
        || _arguments.Length >= TraceFormat.ArgumentBytesPerChunk
        || _stacks.EntryCount >= TraceFormat.StackEntriesPerChunk;

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>Adds an event; the caller has checked <see cref="Full"/>, the arguments and the stack's depth.</summary>
    [SkipLocalsInit]
    internal void Add(in TraceEvent e, ulong seq, ReadOnlySpan<byte> arguments, ReadOnlySpan<ulong> stack)
    {
        ObjectDisposedException.ThrowIf(_block == null, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(Count, _capacity);
        TraceEventParts parts = e.Parts & ~TraceEventParts.Arguments;
        if (!arguments.IsEmpty)
        {
            parts |= TraceEventParts.Arguments;
            _arguments.Append(arguments);
            _argumentCount++;
        }

        ulong key = ((ulong)(uint)e.ProbeId << 16) | ((ulong)e.Kind << 8) | (ulong)parts;
        ref (ulong Key, int Stream) front = ref _streamFront[(int)((key * 0x9E3779B97F4A7C15) >> 54)];
        if (front.Key != key)
        {
            front = (key, StreamOf(key, e.ProbeId, e.Kind, parts));
        }

        int stream = front.Stream;
        _streamEnd = MessagePackInteger.Write(_streamEnd, stream);
        _instructionEnd = MessagePackInteger.Write(_instructionEnd, (long)(e.Instructions - _lastInstructions));
        _lastInstructions = e.Instructions;

        // SAFETY: the stream's reference lies in _references, which has room for as many streams as events.
        ulong* reference = _references + ((nint)stream * EventFields.Stride);
        ulong* fields = stackalloc ulong[EventFields.Stride];
        if ((parts & TraceEventParts.Registers) != 0)
        {
            Unsafe.WriteUnaligned(fields, e.Registers);
        }
        else
        {
            Unsafe.CopyBlock(fields, reference, TraceRegisters.Count * sizeof(ulong));
        }

        fields[EventFields.Address] = e.Address;
        fields[EventFields.Caller] = e.Caller;
        fields[EventFields.Cr2] = e.Cr2;
        fields[EventFields.Back] = e.EntrySeq == 0 ? 0 : seq - e.EntrySeq;
        fields[EventFields.Duration] = e.EntryTimeNs == 0 ? 0 : e.TimeNs - e.EntryTimeNs + 1;
        fields[EventFields.Idle] = e.TimeNs - e.Instructions;
        fields[EventFields.Task] = (parts & TraceEventParts.Task) != 0 ? TaskOf(in e) : reference[EventFields.Task];
        fields[EventFields.Stack] = stack.IsEmpty ? 0 : StackOf(stack);
        fields[EventFields.Cpu] = e.Cpu;
        fields[EventFields.Vector] = e.Vector;
        fields[EventFields.ErrorCode] = e.ErrorCode;
        fields[EventFields.Count] = reference[EventFields.Count];
        fields[EventFields.Count + 1] = reference[EventFields.Count + 1];
        EncodeChanges(fields, reference, _before);
        _before = reference;
        Count++;
    }

    /// <summary>Appends the chunk's payload to <paramref name="target"/> and starts the next chunk.</summary>
    internal void Take(MessagePackSink target)
    {
        target.WriteLongMapHeader(8);
        target.Write("streams");
        target.WriteLongArrayHeader(_streams.Count);
        target.Append(_streamRows.Written);
        target.Write("tasks");
        target.WriteLongArrayHeader(_tasks.Count);
        target.Append(_taskRows.Written);
        target.Write("stacks");
        target.WriteLongArrayHeader(_stacks.Count);
        for (int i = 0; i < _stacks.Count; i++)
        {
            ReadOnlySpan<ulong> stack = _stacks[i];
            target.WriteLongArrayHeader(stack.Length);
            foreach (ulong address in stack)
            {
                target.Write(address);
            }
        }

        AppendColumn(target, "stream", _streamStart, _streamEnd, Count);
        AppendColumn(target, "insn", _instructionStart, _instructionEnd, Count);
        AppendColumn(target, "mask", _maskStart, _maskEnd, Count);
        target.Write("args");
        target.WriteLongArrayHeader(_argumentCount);
        target.Append(_arguments.Written);
        target.Write("fields");
        target.WriteLongMapHeader(EventFields.Count);
        for (int i = 0; i < EventFields.Count; i++)
        {
            Column* column = _columns + i;
            target.Write(EventFields.Names[i]);
            target.WriteArrayHeader(2);

            // SAFETY: both spans cover what has been written of the column.
            target.WriteLongBin(new ReadOnlySpan<byte>(column->CodeStart, (int)(column->CodeEnd - column->CodeStart)));
            target.WriteLongArrayHeader(column->DeltaCount);
            target.Append(new ReadOnlySpan<byte>(column->DeltaStart, (int)(column->DeltaEnd - column->DeltaStart)));
        }

        Clear();
    }

    private static void AppendColumn(MessagePackSink target, string key, byte* start, byte* end, int count)
    {
        target.Write(key);
        target.WriteLongArrayHeader(count);

        // SAFETY: start to end is what has been written of the column.
        target.Append(new ReadOnlySpan<byte>(start, (int)(end - start)));
    }

    private void EncodeChanges(ulong* fields, ulong* reference, ulong* before)
    {
        // SAFETY: all three have Stride elements; mask bits are below Count since the padding was copied.
        uint mask = 0;
        for (int i = 0; i < EventFields.Stride; i += Vector256<ulong>.Count)
        {
            mask |= (~Vector256.Equals(Vector256.Load(fields + i), Vector256.Load(reference + i))
                .ExtractMostSignificantBits() & 0xF) << i;
        }

        _maskEnd = MessagePackInteger.Write(_maskEnd, mask);
        uint differences = 0;
        while (mask != 0)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            mask &= mask - 1;
            ulong value = fields[i];
            Column* column = _columns + i;
            uint slot = EventFields.Slot(value);

            // Which of the three it is changes from event to event: masks instead of branches.
            uint asBefore = 0u - Unsafe.BitCast<bool, byte>(value == before[i]);
            uint recent = 0u - Unsafe.BitCast<bool, byte>(column->Recent[slot] == value);
            *column->CodeEnd++ = (byte)((asBefore & EventFields.AsBefore)
                | (~asBefore & ((recent & slot) | (~recent & EventFields.Explicit))));
            differences |= (~(asBefore | recent) & 1) << i;
        }

        if (differences != 0)
        {
            EncodeDifferences(differences, fields, reference);
        }

        Unsafe.CopyBlock(reference, fields, EventFields.Stride * sizeof(ulong));
    }

    private void EncodeDifferences(uint mask, ulong* fields, ulong* reference)
    {
        // SAFETY: as in EncodeChanges.
        uint addresses = mask & EventFields.AddressMask;
        while (mask != 0)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            mask &= mask - 1;
            ulong value = fields[i];
            Column* column = _columns + i;
            column->Recent[EventFields.Slot(value)] = value;
            column->DeltaEnd = MessagePackInteger.Write(column->DeltaEnd, (long)(value - reference[i]));
            column->DeltaCount++;
        }

        for (; addresses != 0 && _newAddress is not null; addresses &= addresses - 1)
        {
            _newAddress(fields[BitOperations.TrailingZeroCount(addresses)]);
        }
    }

    private int StreamOf(ulong key, int probe, TraceEventKind kind, TraceEventParts parts)
    {
        if (!_streams.TryGetValue(key, out int stream))
        {
            stream = _streams.Count;
            _streams.Add(key, stream);
            _streamRows.WriteArrayHeader(3);
            _streamRows.Write(probe);
            _streamRows.Write((long)kind);
            _streamRows.Write((long)parts);

            // A stream's first event is held against the event before it in the chunk.
            // SAFETY: at most one stream an event, so stream < _capacity; _before has Stride elements.
            Buffer.MemoryCopy(
                _before, _references + ((nint)stream * EventFields.Stride), EventFields.Stride * sizeof(ulong), EventFields.Stride * sizeof(ulong));
        }

        return stream;
    }

    private ulong TaskOf(in TraceEvent e)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>((ReadOnlySpan<byte>)e.Comm);
        (int Pid, ulong Low, ulong High) task = (e.Pid, words[0], words[1]);
        if (task == _lastTask)
        {
            return (ulong)_lastTaskIndex;
        }

        if (!_tasks.TryGetValue(task, out int index))
        {
            index = _tasks.Count;
            _tasks.Add(task, index);
            _taskRows.WriteArrayHeader(2);
            _taskRows.Write(e.Pid);
            _taskRows.Write(e.Comm.Bytes);
        }

        _lastTask = task;
        _lastTaskIndex = index;
        return (ulong)index;
    }

    private ulong StackOf(ReadOnlySpan<ulong> stack)
    {
        int index = _stacks.Add(stack, out bool added);
        if (added && _newAddress is not null)
        {
            foreach (ulong address in stack)
            {
                _newAddress(address);
            }
        }

        return (ulong)index + 1;
    }

    private void Clear()
    {
        Count = 0;
        _streams.Clear();
        _streamFront.AsSpan().Fill((ulong.MaxValue, 0));
        _tasks.Clear();
        _lastTask = null;
        _stacks.Clear();
        _streamRows.Clear();
        _taskRows.Clear();
        _arguments.Clear();
        _argumentCount = 0;
        _lastInstructions = 0;
        _streamEnd = _streamStart;
        _instructionEnd = _instructionStart;
        _maskEnd = _maskStart;

        // The reference behind the last possible stream stands for "no event before": all zero.
        _before = _references + ((nint)_capacity * EventFields.Stride);
        new Span<ulong>(_before, EventFields.Stride).Clear();
        for (int i = 0; i < EventFields.Count; i++)
        {
            Column* column = _columns + i;
            column->CodeEnd = column->CodeStart;
            column->DeltaEnd = column->DeltaStart;
            column->DeltaCount = 0;
            new Span<ulong>(column->Recent, EventFields.Slots).Clear();
        }
    }

    /// <summary>Lays out everything from <paramref name="start"/> on, one behind the other, and returns the first byte behind it; from null it only measures.</summary>
    private byte* LayOut(byte* start)
    {
        nuint integers = (nuint)_capacity * MessagePackInteger.MaxBytes;
        _columns = (Column*)start;
        _references = (ulong*)(_columns + EventFields.Count);
        _streamStart = (byte*)(_references + ((nint)(_capacity + 1) * EventFields.Stride));
        _instructionStart = _streamStart + integers;
        _maskStart = _instructionStart + integers;
        byte* next = _maskStart + integers;
        for (int i = 0; i < EventFields.Count; i++)
        {
            byte* codes = next;
            byte* deltas = codes + _capacity;
            next = deltas + integers;
            if (start != null)
            {
                _columns[i].CodeStart = codes;
                _columns[i].DeltaStart = deltas;
            }
        }

        return next;
    }

    private void Free()
    {
        NativeMemory.Free(_block);
        _block = null;
    }

    /// <summary>One field's column: a code for each change, differences, and the table of recent values.</summary>
    private struct Column
    {
        internal byte* CodeStart;
        internal byte* CodeEnd;
        internal byte* DeltaStart;
        internal byte* DeltaEnd;
        internal int DeltaCount;
        internal fixed ulong Recent[EventFields.Slots];
    }
}
