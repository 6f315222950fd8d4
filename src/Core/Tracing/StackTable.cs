namespace KprobeTrace.Tracing;

/// <summary>The distinct stacks of one chunk, numbered in the order of their first use.</summary>
internal sealed class StackTable
{
    private readonly List<(int Start, int Length)> _stacks = [];
    private ulong[] _entries = new ulong[1024];
    private int[] _slots = new int[256];
    private int _used;

    internal int Count => _stacks.Count;

    /// <summary>Addresses in all stacks together.</summary>
    internal int EntryCount => _used;

    internal ReadOnlySpan<ulong> this[int index] => _entries.AsSpan(_stacks[index].Start, _stacks[index].Length);

    internal void Clear()
    {
        _stacks.Clear();
        _used = 0;
        Array.Clear(_slots);
    }

    /// <summary>The stack's number, with <paramref name="added"/> telling whether it is a new one.</summary>
    internal int Add(ReadOnlySpan<ulong> stack, out bool added)
    {
        int slot = FirstSlot(stack);
        while (_slots[slot] != 0)
        {
            int index = _slots[slot] - 1;
            if (this[index].SequenceEqual(stack))
            {
                added = false;
                return index;
            }

            slot = (slot + 1) & (_slots.Length - 1);
        }

        if (_entries.Length - _used < stack.Length)
        {
            Array.Resize(ref _entries, Math.Max(2 * _entries.Length, _used + stack.Length));
        }

        stack.CopyTo(_entries.AsSpan(_used));
        _stacks.Add((_used, stack.Length));
        _used += stack.Length;
        _slots[slot] = _stacks.Count;
        if (2 * _stacks.Count > _slots.Length)
        {
            Rehash();
        }

        added = true;
        return _stacks.Count - 1;
    }

    private int FirstSlot(ReadOnlySpan<ulong> stack)
    {
        ulong hash = (ulong)stack.Length;
        foreach (ulong address in stack)
        {
            hash = ((hash ^ address) * 0x9E3779B97F4A7C15) ^ (hash >> 29);
        }

        return (int)(hash >> 32) & (_slots.Length - 1);
    }

    private void Rehash()
    {
        _slots = new int[2 * _slots.Length];
        for (int i = 0; i < _stacks.Count; i++)
        {
            int slot = FirstSlot(this[i]);
            while (_slots[slot] != 0)
            {
                slot = (slot + 1) & (_slots.Length - 1);
            }

            _slots[slot] = i + 1;
        }
    }
}
