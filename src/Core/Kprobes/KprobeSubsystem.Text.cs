using KprobeTrace.Symbols;

namespace KprobeTrace.Kprobes;

/// <content>What the guest's own writes to probed text do to probes.</content>
public sealed partial class KprobeSubsystem
{
    private readonly Dictionary<ulong, List<KprobeEntry>> _unsettled = [];

    /// <summary>
    /// Re-reads the instructions of probes whose text the guest wrote since the last call, and says which lost or found
    /// their boundary.
    /// </summary>
    /// <remarks>
    /// Text is rewritten in several steps, an int3 first; looking at every step would report states that nothing
    /// executes. Writes are therefore judged when the next ones go to another function, at hits, and in lists.
    /// </remarks>
    public void SettleText()
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
    public void SettleAllText()
    {
        Settled();
        foreach (KprobeEntry entry in _table.Snapshot())
        {
            Settle(entry, entry.FunctionStart);
        }
    }

    private void TextWritten(ulong address, int length)
    {
        if (length <= 0 || !_text.TryFindSymbol(address, out Symbol symbol)
            || _unsettled.ContainsKey(symbol.Address))
        {
            return;
        }

        SettleText();
        if (_table.InFunction(symbol.Address) is List<KprobeEntry> entries)
        {
            _unsettled.Add(symbol.Address, [.. entries]);
            Handler.Settle = SettleText;
        }
    }

    private void Settled()
    {
        _unsettled.Clear();
        Handler.Settle = null;
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
