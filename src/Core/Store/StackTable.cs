using KprobeTrace.Store.BTree;

namespace KprobeTrace.Store;

/// <summary>Gives call stacks numbers and stores each once.</summary>
internal sealed class StackTable
{
    private const int MaxRemembered = 1 << 18;
    private const int MaxFrames = 4096;

    private readonly Dictionary<UInt128, long> _numbers = [];
    private readonly PlaceTable _places;
    private readonly IndexLoader _table;
    private readonly RecordBuilder _record = new();
    private readonly long _run;
    private long _last;
    private int _generation;

    internal StackTable(PlaceTable places, IndexLoader table, long run)
    {
        _places = places;
        _table = table;
        _run = run;
    }

    /// <summary>The number of a stack, whose innermost frame comes first.</summary>
    internal long Of(ReadOnlySpan<ulong> frames)
    {
        frames = frames[..Math.Min(frames.Length, MaxFrames)];
        UInt128 hash = Hash(frames, _places.MayHaveMoved ? _places : null);
        if (_generation != _places.Generation)
        {
            // Which addresses have had other code before is forgotten with them.
            _numbers.Clear();
            _generation = _places.Generation;
        }

        if (_numbers.TryGetValue(hash, out long number))
        {
            return number;
        }

        if (_numbers.Count >= MaxRemembered)
        {
            _numbers.Clear();
        }

        _numbers.Add(hash, ++_last);
        for (int depth = 0; depth < frames.Length; depth++)
        {
            FrameRow row = new() { Run = _run, Stack = _last, Depth = depth, Place = _places.Of(frames[depth]) };
            _record.Begin();
            _record.Cells(HistoryTable.Cells(in row));
            _table.Add(_record.End());
        }

        return _last;
    }

    /// <summary>FNV-1a over words with 128 bits: wide enough that two stacks never share a number by chance.</summary>
    /// <param name="frames">The addresses.</param>
    /// <param name="places">Where to ask for addresses that have had other code before; null while none has.</param>
    private static UInt128 Hash(ReadOnlySpan<ulong> frames, PlaceTable? places)
    {
        UInt128 prime = new(0x0000000001000000, 0x000000000000013B);
        UInt128 hash = new(0x6C62272E07BB0142, 0x62B821756295C58D);
        foreach (ulong frame in frames)
        {
            ulong word = frame;
            if (places is not null && places.Of(frame) is long place && places.HasMoved(frame))
            {
                word = (ulong)place;
            }

            hash = (hash ^ word) * prime;
            hash ^= hash >> 61;
        }

        return hash;
    }
}
