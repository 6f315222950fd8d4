using System.Globalization;
using System.Text;
using KprobeTrace.Guest;
using KprobeTrace.Symbols;

namespace KprobeTrace.Kprobes;

/// <content>The debugfs files.</content>
public sealed partial class KprobeSubsystem
{
    /// <summary>What <c>kprobes/list</c> shows: one line a probe, by bucket, newest first.</summary>
    /// <param name="restricted">Shows addresses as zeros, as to a reader who may not see kernel pointers.</param>
    public string List(bool restricted = false)
    {
        SettleAllText();
        StringBuilder text = new();
        foreach (KprobeEntry entry in _table.Snapshot())
        {
            foreach (Kprobe probe in entry.Children)
            {
                if (!probe.IsInternal)
                {
                    AppendLine(text, entry, probe, restricted);
                }
            }
        }

        return text.ToString();
    }

    /// <summary>What <c>kprobes/blacklist</c> shows: range, tab, symbol.</summary>
    /// <param name="restricted">Shows addresses as zeros.</param>
    public string ListBlacklist(bool restricted = false)
    {
        StringBuilder text = new();
        foreach (GuestRange range in _text.Blacklist)
        {
            ulong start = restricted ? 0 : range.Start;
            ulong end = restricted ? 0 : range.End;
            text.Append(CultureInfo.InvariantCulture, $"0x{start:x16}-0x{end:x16}\t{range.Name}\n");
        }

        return text.ToString();
    }

    /// <summary>The registered probes in the order of <see cref="List"/>.</summary>
    public IReadOnlyList<Kprobe> Probes()
    {
        List<Kprobe> probes = [];
        foreach (KprobeEntry entry in _table.Snapshot())
        {
            probes.AddRange(entry.Children.Where(p => !p.IsInternal));
        }

        return probes;
    }

    private void AppendLine(StringBuilder text, KprobeEntry entry, Kprobe probe, bool restricted)
    {
        char kind = probe.ReturnProbe is null ? 'k' : 'r';
        ulong shown = restricted ? 0 : entry.Address;
        text.Append(CultureInfo.InvariantCulture, $"{shown:x16}  {kind}  ");
        if (_text.TryFindSymbol(entry.Address, out Symbol symbol))
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"{symbol.Name}+0x{entry.Address - symbol.Address:x}  {(symbol.Module.Length == 0 ? " " : symbol.Module)} ");
        }
        else
        {
            text.Append(CultureInfo.InvariantCulture, $"0x{shown:x} ");
        }

        if ((probe.Flags & KprobeStatus.Gone) != 0)
        {
            text.Append("[GONE]");
        }
        else if ((probe.Flags & KprobeStatus.Disabled) != 0)
        {
            text.Append("[DISABLED]");
        }

        if (entry.IsOptimized)
        {
            text.Append("[OPTIMIZED]");
        }

        text.Append('\n');
    }
}
