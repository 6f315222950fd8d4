using KprobeTrace.Guest;
using KprobeTrace.Symbols;

namespace KprobeTrace.Kprobes;

/// <content>What the guest's own writes to probed text do to probes.</content>
public sealed partial class KprobeSubsystem
{
    private readonly Dictionary<ulong, List<KprobeEntry>> _unsettled = [];
    private Symbol? _lastWritten;

    /// <summary>
    /// Re-reads the instructions of probes whose text the guest wrote since the last call, and says which lost or found
    /// their boundary.
    /// </summary>
    /// <remarks>
    /// Text is rewritten in several steps, an int3 first; looking at every step would report states that nothing
    /// executes. Writes are therefore judged when the next ones go to another function, at hits, and in lists.
    /// </remarks>
    internal void SettleText()
    {
        if (_unsettled.Count == 0)
        {
            return;
        }

        foreach ((ulong start, List<KprobeEntry> entries) in _unsettled)
        {
            foreach (KprobeEntry entry in entries)
            {
                Settle(entry, start);
            }
        }

        Settled();
    }

    /// <summary>As <see cref="SettleText"/> for every probe, whether or not a write to its text was seen.</summary>
    internal void SettleAllText()
    {
        Settled();
        foreach (KprobeEntry entry in _table.Snapshot())
        {
            Settle(entry, entry.FunctionStart);
        }
    }

    /// <summary>
    /// Has writes told of to all text that says where the probe's instruction begins and what it is: from the start of its
    /// function to where the longest instruction would end, over whatever pages that lies on.
    /// </summary>
    private void WatchText(KprobeEntry entry)
    {
        // What the symbols call one function may be megabytes of data before it.
        const ulong farthest = 1 << 16;
        ulong before = Math.Min(entry.Address - entry.FunctionStart, farthest);
        entry.Watched = new GuestRange(entry.Address - before, entry.Address + InstructionBoundary.MaxLength);
        _view.Watch(entry.Watched.Start, entry.Watched.End, true);
    }

    private void UnwatchText(KprobeEntry entry)
    {
        if (entry.Watched.End != 0)
        {
            _view.Watch(entry.Watched.Start, entry.Watched.End, false);
            entry.Watched = default;
        }
    }

    private void TextWritten(ulong address, int length)
    {
        if (length <= 0)
        {
            return;
        }

        // A write may go over several functions, small ones in its middle among them.
        for (ulong done = 0; done < (ulong)length;)
        {
            ulong at = address + done;
            Symbol? function = FunctionAt(at);
            if (function is Symbol written)
            {
                FunctionWritten(written);
            }

            ulong left = function is Symbol holder && at - holder.Address < holder.Size ? holder.Size - (at - holder.Address) : 1;
            done += Math.Min(left, (ulong)length - done);
        }
    }

    private void FunctionWritten(Symbol function)
    {
        if (_unsettled.ContainsKey(function.Address))
        {
            return;
        }

        SettleText();
        if (_table.InFunction(function.Address) is List<KprobeEntry> entries)
        {
            _unsettled.Add(function.Address, [.. entries]);
        }
    }

    /// <summary>The function that holds an address. A kernel patches itself function by function, so the last one comes first.</summary>
    private Symbol? FunctionAt(ulong address)
    {
        if (_lastWritten is not Symbol last || address - last.Address >= last.Size)
        {
            _lastWritten = _text.TryFindSymbol(address, out Symbol symbol) ? symbol : null;
        }

        return _lastWritten;
    }

    private void Settled()
    {
        _unsettled.Clear();
    }

    private void Settle(KprobeEntry entry, ulong start)
    {
        if ((entry.Flags & KprobeStatus.Gone) != 0 || entry.Children.Length == 0)
        {
            return;
        }

        bool off = !_boundary.IsBoundary(start, entry.Address);
        if (!off)
        {
            entry.Instruction = _boundary.Copy(entry.Address);
        }

        if (off != entry.IsOffBoundary)
        {
            entry.IsOffBoundary = off;
            foreach (Kprobe probe in entry.Children)
            {
                BoundaryChanged?.Invoke(probe, off);
            }
        }
    }
}
