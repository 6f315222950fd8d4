using System.Buffers.Binary;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;

namespace KprobeTrace.Guest;

/// <summary>The tables of a Linux image that say what its instructions are used for.</summary>
/// <remarks>
/// They are read once from the image, at link addresses, between the start and stop symbols (or the section headers) of
/// each. Most hold 4-byte offsets relative to their own place:
/// <code>
/// __ex_table          12 bytes: instruction, fix-up, kind (relative, relative, number)
/// __jump_table        16 bytes: code, target, key (relative, relative, 8-byte relative)
/// __bug_table         10 or 12 bytes: instruction first (relative)
/// .static_call_sites   8 bytes: instruction, key (relative)
/// .smp_locks           4 bytes: instruction (relative)
/// __mcount_loc         8 bytes: address
/// _kprobe_blacklist    8 bytes: address
/// </code>
/// </remarks>
public sealed class GuestTables
{
    private const int MaxEntries = 4_000_000;
    private const int ExceptionEntrySize = 12;
    private const int JumpEntrySize = 16;
    private const uint DefaultBugEntrySize = 12;
    private const int LongSite = 5;
    private const int ShortSite = 2;

    private readonly LoadedImage _image;
    private readonly SymbolTable _symbols;
    private readonly ulong[] _exceptions;
    private readonly ulong[] _jumps;
    private readonly byte[] _jumpSizes;
    private readonly ulong[] _bugs;
    private readonly ulong[] _staticCalls;
    private readonly ulong[] _smpLocks;
    private readonly ulong[] _mcount;
    private readonly GuestRange[] _blacklist;
    private readonly GuestRange[] _refused;

    /// <summary>Reads the tables; those an image does not have are empty.</summary>
    public GuestTables(LoadedImage image, SymbolTable symbols, Btf? types)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(symbols);
        _image = image;
        _symbols = symbols;
        int bugSize = (int)(types?.FindStruct("bug_entry")?.Size ?? DefaultBugEntrySize);
        _exceptions = Relative(Bounds("__start___ex_table", "__stop___ex_table", "__ex_table"), ExceptionEntrySize);
        _jumps = Relative(Bounds("__start___jump_table", "__stop___jump_table", "__jump_table"), JumpEntrySize);
        _bugs = Relative(Bounds("__start___bug_table", "__stop___bug_table", "__bug_table"), Math.Max(bugSize, 4));
        _staticCalls = Relative(
            Bounds("__start_static_call_sites", "__stop_static_call_sites", ".static_call_sites"), 8);
        _smpLocks = Relative(Bounds("__smp_locks", "__smp_locks_end", ".smp_locks"), 4);
        _mcount = Absolute(Bounds("__start_mcount_loc", "__stop_mcount_loc", "__mcount_loc"));
        _jumpSizes = Array.ConvertAll(_jumps, SiteSize);
        _blacklist = [.. ReadBlacklist()];
        _refused = Merge(_blacklist);
        Text = Bounds("_stext", "_etext", "");
        InitText = Bounds("_sinittext", "_einittext", "");
    }

    /// <summary>Gets the kernel's permanent text.</summary>
    public GuestRange Text { get; }

    /// <summary>Gets the kernel's init text, whose memory is freed once the system runs.</summary>
    public GuestRange InitText { get; }

    /// <summary>Gets the ranges where Linux refuses kprobes, in the order the kernel collects them.</summary>
    public IReadOnlyList<GuestRange> Blacklist => _blacklist;

    /// <summary>Gets the instructions that may fault and be fixed up, by rising address.</summary>
    public IReadOnlyList<ulong> ExceptionSites => _exceptions;

    /// <summary>Gets the jump-label sites, by rising address.</summary>
    public IReadOnlyList<ulong> JumpLabels => _jumps;

    /// <summary>Gets the <c>ud2</c> instructions of BUG and WARN, by rising address.</summary>
    public IReadOnlyList<ulong> BugSites => _bugs;

    /// <summary>Gets the inline static-call sites, by rising address.</summary>
    public IReadOnlyList<ulong> StaticCalls => _staticCalls;

    /// <summary>Gets the LOCK prefixes the kernel removes on a single CPU, by rising address.</summary>
    public IReadOnlyList<ulong> LockPrefixes => _smpLocks;

    /// <summary>Gets the ftrace call sites, by rising address.</summary>
    public IReadOnlyList<ulong> FtraceSites => _mcount;

    /// <summary>Tells whether Linux refuses a kprobe at an address.</summary>
    /// <remarks>
    /// A function with a suffix behind a dot, such as <c>f.cold</c>, is refused like the function it was made from.
    /// </remarks>
    public bool IsBlacklisted(ulong address)
    {
        if (IsInAny(_refused, address))
        {
            return true;
        }

        if (!_symbols.TryFind(address, out Symbol symbol, out _))
        {
            return false;
        }

        int dot = symbol.Name.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && _symbols.AddressOf(symbol.Name[..dot]) is ulong whole && IsInAny(_refused, whole);
    }

    /// <summary>Tells whether an instruction has a fix-up in the exception table.</summary>
    public bool HasExceptionEntry(ulong address) => Array.BinarySearch(_exceptions, address) >= 0;

    /// <summary>Tells whether an address is the <c>ud2</c> of a BUG or WARN.</summary>
    public bool IsBugAddress(ulong address) => Array.BinarySearch(_bugs, address) >= 0;

    /// <summary>The jump-label site that holds an address; null when it lies in none.</summary>
    public GuestRange? JumpLabelAt(ulong address)
    {
        int index = IndexAtOrBelow(_jumps, address);
        return index >= 0 && address - _jumps[index] < _jumpSizes[index]
            ? new GuestRange(_jumps[index], _jumps[index] + _jumpSizes[index])
            : null;
    }

    /// <summary>The inline static-call site that holds an address; null when it lies in none.</summary>
    public GuestRange? StaticCallAt(ulong address) => SiteAt(_staticCalls, address, LongSite);

    /// <summary>The ftrace call site that holds an address; null when it lies in none.</summary>
    public GuestRange? FtraceSiteAt(ulong address) => SiteAt(_mcount, address, LongSite);

    private static GuestRange? SiteAt(ulong[] sites, ulong address, ulong size)
    {
        int index = IndexAtOrBelow(sites, address);
        return index >= 0 && address - sites[index] < size ? new GuestRange(sites[index], sites[index] + size) : null;
    }

    private static int IndexAtOrBelow(ulong[] sorted, ulong address)
    {
        int index = Array.BinarySearch(sorted, address);
        return index >= 0 ? index : ~index - 1;
    }

    private static bool IsInAny(GuestRange[] ranges, ulong address)
    {
        int low = 0;
        int high = ranges.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (address < ranges[middle].Start)
            {
                high = middle - 1;
            }
            else if (address >= ranges[middle].End)
            {
                low = middle + 1;
            }
            else
            {
                return true;
            }
        }

        return false;
    }

    private static GuestRange[] Merge(GuestRange[] ranges)
    {
        GuestRange[] sorted = [.. ranges];
        Array.Sort(sorted, static (a, b) => a.Start.CompareTo(b.Start));
        List<GuestRange> merged = [];
        foreach (GuestRange range in sorted)
        {
            if (merged.Count > 0 && range.Start <= merged[^1].End)
            {
                merged[^1] = merged[^1] with { End = Math.Max(merged[^1].End, range.End) };
            }
            else
            {
                merged.Add(range);
            }
        }

        return [.. merged];
    }

    private GuestRange Bounds(string start, string stop, string section)
    {
        if (_symbols.AddressOf(start) is ulong first && _symbols.AddressOf(stop) is ulong last && last >= first)
        {
            return new GuestRange(first, last);
        }

        return section.Length > 0 && _image.Elf?.FindSection(section) is ElfSection found && found.Address != 0
            && found.Address + found.Size >= found.Address
            ? new GuestRange(found.Address, found.Address + found.Size)
            : default;
    }

    private ReadOnlySpan<byte> BytesOf(GuestRange range)
    {
        ReadOnlySpan<byte> bytes = _image.BytesAtLink(range.Start).Span;
        ulong length = range.End - range.Start;
        return (ulong)bytes.Length >= length ? bytes[..(int)length] : default;
    }

    private ulong[] Relative(GuestRange range, int entrySize)
    {
        ReadOnlySpan<byte> bytes = BytesOf(range);
        List<ulong> addresses = [];
        for (int at = 0; at + entrySize <= bytes.Length && addresses.Count < MaxEntries; at += entrySize)
        {
            // Some tables are padded to a page; an entry that points at itself is padding.
            long offset = BinaryPrimitives.ReadInt32LittleEndian(bytes[at..]);
            if (offset != 0)
            {
                addresses.Add(range.Start + (ulong)at + (ulong)offset);
            }
        }

        addresses.Sort();
        return [.. addresses];
    }

    private ulong[] Absolute(GuestRange range)
    {
        ReadOnlySpan<byte> bytes = BytesOf(range);
        ulong[] addresses = new ulong[Math.Min(bytes.Length / 8, MaxEntries)];
        for (int i = 0; i < addresses.Length; i++)
        {
            addresses[i] = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(i * 8)..]);
        }

        Array.Sort(addresses);
        return addresses;
    }

    // A jump-label site is a jump or a nop, of two or five bytes.
    private byte SiteSize(ulong address)
    {
        ReadOnlySpan<byte> code = _image.BytesAtLink(address).Span;
        return code.Length > 1 && (code[0] == 0xEB || (code[0] == 0x66 && code[1] == 0x90)) ? (byte)ShortSite : (byte)LongSite;
    }

    private List<GuestRange> ReadBlacklist()
    {
        List<GuestRange> ranges = [];
        ReadOnlySpan<byte> bytes = BytesOf(Bounds("__start_kprobe_blacklist", "__stop_kprobe_blacklist", "_kprobe_blacklist"));
        for (int at = 0; at + 8 <= bytes.Length && ranges.Count < MaxEntries; at += 8)
        {
            AddFunction(ranges, BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]));
        }

        AddArea(ranges, Bounds("__kprobes_text_start", "__kprobes_text_end", ""));
        AddArea(ranges, Bounds("__noinstr_text_start", "__noinstr_text_end", ""));
        AddArea(ranges, Bounds("__entry_text_start", "__entry_text_end", ""));
        return ranges;
    }

    private ulong AddFunction(List<GuestRange> ranges, ulong address)
    {
        if (!_symbols.TryFind(address, out Symbol symbol, out _))
        {
            return 0;
        }

        ranges.Add(new GuestRange(address, address + symbol.Size, symbol.Name));
        return symbol.Size;
    }

    private void AddArea(List<GuestRange> ranges, GuestRange area)
    {
        for (ulong at = area.Start; at < area.End && ranges.Count < MaxEntries;)
        {
            at += Math.Max(AddFunction(ranges, at), 1);
        }
    }
}
