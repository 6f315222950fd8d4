using KprobeTrace.Guest;
using KprobeTrace.Symbols;

namespace KprobeTrace.Kprobes;

/// <content>Where a probe may go: resolution and refusals, in the kernel's order.</content>
public sealed partial class KprobeSubsystem
{
    /// <summary>Says why an address is refused; success when a probe may go there.</summary>
    /// <remarks>Tests everything registration does, the instruction boundary included, and changes nothing.</remarks>
    public KprobeResult CanProbe(ulong address)
    {
        KprobeResult allowed = CheckAddress(address);
        if (!allowed.IsSuccess || _table.TryFind(address, out _))
        {
            return allowed;
        }

        return Prepare(new KprobeEntry(new Breakpoint(address, 0)));
    }

    /// <summary>Finds the address a probe asks for: symbol or address, plus offset.</summary>
    private KprobeResult Resolve(Kprobe probe, out ulong address)
    {
        address = probe.Addr;
        if (probe.SymbolName is not null && probe.Addr != 0)
        {
            return KprobeResult.Invalid("both an address and a symbol are given");
        }

        if (probe.SymbolName is null && probe.Addr == 0)
        {
            return KprobeResult.Invalid("neither an address nor a symbol is given");
        }

        if (probe.SymbolName is not null && !_text.TryResolve(probe.SymbolName, out address))
        {
            return KprobeResult.NoEntry($"no symbol {probe.SymbolName}");
        }

        // A probe that is registered has its offset in its address already.
        address = probe.IsRegistered ? probe.Addr : unchecked(address + probe.Offset);
        return address == 0 ? KprobeResult.Invalid("the address is 0") : KprobeResult.Success;
    }

    private KprobeResult CheckAddress(ulong address)
    {
        KernelTextKind kind = _text.Classify(address);
        if (kind == KernelTextKind.None)
        {
            return KprobeResult.Invalid($"{Describe(address)} is not kernel text");
        }

        if (!AllowBlacklisted && FindBlacklisted(address) is string name)
        {
            return KprobeResult.Invalid($"{Describe(address)} is on the kernel's kprobe blacklist as {name}");
        }

        if (_text.IsJumpLabel(address))
        {
            return KprobeResult.Invalid($"{Describe(address)} is a jump label, which the kernel rewrites");
        }

        if (_text.IsBugSite(address))
        {
            return KprobeResult.Invalid($"{Describe(address)} is the trap of a BUG or WARN");
        }

        return kind == KernelTextKind.ModuleGone
            ? KprobeResult.NoEntry($"{Describe(address)} is module text that is gone or going")
            : KprobeResult.Success;
    }

    /// <summary>The blacklist entry that covers an address or the function a compiler's copy of it came from.</summary>
    private string? FindBlacklisted(ulong address)
    {
        if (FindInBlacklist(address) is string direct)
        {
            return direct;
        }

        if (!_text.TryFindSymbol(address, out Symbol symbol))
        {
            return null;
        }

        int dot = symbol.Name.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && _text.TryResolve(symbol.Name[..dot], out ulong original)
            ? FindInBlacklist(original)
            : null;
    }

    private string? FindInBlacklist(ulong address)
    {
        IReadOnlyList<GuestRange> ranges = _text.Blacklist;
        for (int i = 0; i < ranges.Count; i++)
        {
            if (address >= ranges[i].Start && address < ranges[i].End)
            {
                return ranges[i].Name;
            }
        }

        return null;
    }

    private string Describe(ulong address) =>
        _text.TryFindSymbol(address, out Symbol symbol)
            ? $"{symbol.Name}+0x{address - symbol.Address:x}"
            : $"0x{address:x}";
}
