namespace KprobeTrace.Store;

/// <summary>Sorts (probe, sequence number, kind) by probe in bounded memory.</summary>
/// <remarks>
/// Sequence numbers rise, so each probe's own list is already sorted and differs by one or two bytes a hit. Lists
/// grow in blocks; full blocks go to a temporary file once they take more than <see cref="MemoryLimit"/>.
/// </remarks>
internal sealed class SequenceSpool : IDisposable
{
    internal const int MemoryLimit = 48 << 20;
    private const int FirstBlock = 64;
    private const int LargestBlock = 4096;

    private readonly SortedDictionary<int, List> _lists = [];
    private readonly string _spillPath;
    private FileStream? _spill;
    private long _memory;

    /// <summary>Creates an empty spool; <paramref name="spillPath"/> is created only when memory does not suffice.</summary>
    internal SequenceSpool(string spillPath) => _spillPath = spillPath;

    /// <summary>The list of a probe, to be kept by the caller for <see cref="Add"/>.</summary>
    internal List ListOf(int probe)
    {
        if (!_lists.TryGetValue(probe, out List? list))
        {
            _lists.Add(probe, list = new List());
        }

        return list;
    }

    /// <summary>Adds a hit; sequence numbers of one list rise.</summary>
    internal void Add(List list, ulong seq, int kind)
    {
        ulong value = ((seq - list.Last) << 4) | (uint)kind;
        list.Last = seq;
        if (list.Used + 10 > list.Block.Length)
        {
            Close(list);
        }

        byte[] block = list.Block;
        int used = list.Used;
        while (value >= 0x80)
        {
            block[used++] = (byte)(value | 0x80);
            value >>= 7;
        }

        block[used++] = (byte)value;
        list.Used = used;
    }

    /// <summary>Hands out every hit by probe, then by sequence number.</summary>
    internal void Drain(Action<int, ulong, int> visit)
    {
        byte[] buffer = new byte[LargestBlock];
        foreach ((int probe, List list) in _lists)
        {
            ulong seq = 0;
            foreach ((long offset, int length, byte[]? block) in list.Closed)
            {
                byte[] bytes = block ?? buffer;
                if (block is null)
                {
                    _spill!.Position = offset;
                    _spill.ReadExactly(buffer, 0, length);
                }

                Decode(bytes.AsSpan(0, length), probe, ref seq, visit);
            }

            Decode(list.Block.AsSpan(0, list.Used), probe, ref seq, visit);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _spill?.Dispose();

    private static void Decode(ReadOnlySpan<byte> bytes, int probe, ref ulong seq, Action<int, ulong, int> visit)
    {
        int position = 0;
        while (position < bytes.Length)
        {
            ulong value = 0;
            int shift = 0;
            byte current;
            do
            {
                current = bytes[position++];
                value |= (ulong)(current & 0x7F) << shift;
                shift += 7;
            }
            while (current >= 0x80);

            seq += value >> 4;
            visit(probe, seq, (int)(value & 15));
        }
    }

    private void Close(List list)
    {
        if (list.Used > 0)
        {
            if (_memory < MemoryLimit)
            {
                list.Closed.Add((0, list.Used, list.Block));
                _memory += list.Block.Length;
                list.Block = [];
            }
            else
            {
                _spill ??= new FileStream(
                    _spillPath, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);
                list.Closed.Add((_spill.Length, list.Used, null));
                _spill.Position = _spill.Length;
                _spill.Write(list.Block, 0, list.Used);
            }
        }

        if (list.Block.Length == 0)
        {
            list.NextSize = Math.Min(Math.Max(FirstBlock, list.NextSize * 2), LargestBlock);
            list.Block = new byte[list.NextSize];
        }

        list.Used = 0;
    }

    /// <summary>The hits of one probe.</summary>
    internal sealed class List
    {
        internal byte[] Block { get; set; } = [];

        internal int Used { get; set; }

        internal ulong Last { get; set; }

        internal int NextSize { get; set; }

        internal List<(long Offset, int Length, byte[]? Block)> Closed { get; } = [];
    }
}
