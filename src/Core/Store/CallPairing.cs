namespace KprobeTrace.Store;

/// <summary>Finds the entry event of a return by task and function, with nesting and recursion.</summary>
/// <remarks>
/// A trace names the entry of most returns itself. This finds the others: entries of a function that some return
/// probe watches wait on a stack for each task, and a return takes the innermost (or the one whose time it names).
/// Calls that never return are forgotten once too many wait.
/// </remarks>
internal sealed class CallPairing
{
    private const int MaxDepth = 1024;
    private const int MaxStacks = 1 << 16;

    private readonly HashSet<ulong> _watched = [];
    private readonly Dictionary<(int Pid, ulong Address), List<(ulong Seq, ulong TimeNs)>> _open = [];

    /// <summary>The last return that was paired.</summary>
    private (int Probe, int Pid, ulong Address, ulong TimeNs, ulong EntrySeq, ulong EntryTimeNs) _last;

    /// <summary>Says that a return probe watches the function at <paramref name="address"/>.</summary>
    internal void Watch(ulong address) => _watched.Add(address);

    /// <summary>True where entries of the function at <paramref name="address"/> are wanted.</summary>
    internal bool Watches(ulong address) => _watched.Contains(address);

    /// <summary>Notes an entry.</summary>
    internal void Enter(int pid, ulong address, ulong seq, ulong timeNs)
    {
        if (_open.Count > MaxStacks)
        {
            _open.Clear();
        }

        if (!_open.TryGetValue((pid, address), out List<(ulong Seq, ulong TimeNs)>? stack))
        {
            _open.Add((pid, address), stack = []);
        }

        if (stack.Count > 0 && stack[^1].TimeNs == timeNs)
        {
            // Several probes hit by the same entry: the first stands for it.
            return;
        }

        if (stack.Count == MaxDepth)
        {
            stack.RemoveRange(0, MaxDepth / 2);
        }

        stack.Add((seq, timeNs));
    }

    /// <summary>
    /// Takes the entry of a return that happens now. <paramref name="entrySeq"/> and <paramref name="entryTimeNs"/>
    /// are what the trace says of it, 0 where it says nothing; false where no entry is known.
    /// </summary>
    internal bool Return(int probe, int pid, ulong address, ulong timeNs, ref ulong entrySeq, ref ulong entryTimeNs)
    {
        if (_last.Pid == pid && _last.Address == address && _last.TimeNs == timeNs && _last.Probe != probe
            && Says(entrySeq, _last.EntrySeq) && Says(entryTimeNs, _last.EntryTimeNs))
        {
            // Another return probe of the function tells of the same return.
            entrySeq = _last.EntrySeq;
            entryTimeNs = _last.EntryTimeNs;
            return true;
        }

        if (_open.TryGetValue((pid, address), out List<(ulong Seq, ulong TimeNs)>? stack))
        {
            Take(stack, ref entrySeq, ref entryTimeNs);
            if (stack.Count == 0)
            {
                _ = _open.Remove((pid, address));
            }
        }

        if (entryTimeNs == 0)
        {
            return false;
        }

        _last = (probe, pid, address, timeNs, entrySeq, entryTimeNs);
        return true;
    }

    /// <summary>Takes what is said of an entry, or the innermost one, and all above: those calls never return.</summary>
    private static void Take(List<(ulong Seq, ulong TimeNs)> stack, ref ulong entrySeq, ref ulong entryTimeNs)
    {
        for (int i = stack.Count - 1; i >= 0; i--)
        {
            (ulong seq, ulong timeNs) = stack[i];
            if (Says(entrySeq, seq) && Says(entryTimeNs, timeNs))
            {
                stack.RemoveRange(i, stack.Count - i);
                entrySeq = seq;
                entryTimeNs = timeNs;
                return;
            }
        }

        // The entry itself was not recorded; what came later was called by it.
        while (entryTimeNs != 0 && stack.Count > 0 && stack[^1].TimeNs > entryTimeNs)
        {
            stack.RemoveAt(stack.Count - 1);
        }
    }

    /// <summary>True where the trace says this, or nothing.</summary>
    private static bool Says(ulong said, ulong value) => said == 0 || said == value;
}
