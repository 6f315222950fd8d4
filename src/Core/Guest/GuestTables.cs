using KprobeTrace.Loaders;
using KprobeTrace.Symbols;

namespace KprobeTrace.Guest;

/// <summary>The tables of a Linux image that say what its instructions are used for.</summary>
/// <remarks>
/// They are read from the image, at link addresses, between the start and stop symbols (or the section headers) of
/// each. Most hold 4-byte offsets relative to their own place:
/// <code>
/// __ex_table          12 bytes: instruction, fix-up, kind (relative, relative, number)
/// __jump_table        16 bytes: code, target, key (relative, relative, 8-byte relative)
/// __bug_table         10 or 12 bytes: instruction first (relative)
/// .static_call_sites   8 bytes: instruction, key (relative)
/// __mcount_loc         8 bytes: address
/// _kprobe_blacklist    8 bytes: address
/// </code>
/// </remarks>
internal sealed class GuestTables
{
    private const int ExceptionEntrySize = 12;
    private const int JumpEntrySize = 16;
    private const uint DefaultBugEntrySize = 12;

    private readonly LoadedImage _image;
    private readonly SymbolTable _symbols;
    private readonly CodeSites _jumps;
    private readonly CodeSites _bugs;

    // What no rule of kprobes asks is read when it is asked for.
    private readonly Lazy<CodeSites> _exceptions;
    private readonly Lazy<CodeSites> _staticCalls;
    private readonly Lazy<CodeSites> _mcount;
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
        _exceptions = new(() => CodeSites.Create(Relative(Bounds("__start___ex_table", "__stop___ex_table", "__ex_table"), ExceptionEntrySize)));
        _jumps = CodeSites.CreateJumps(
            Relative(Bounds("__start___jump_table", "__stop___jump_table", "__jump_table"), JumpEntrySize), image.TryReadLink);
        _bugs = CodeSites.Create(
            Relative(Bounds("__start___bug_table", "__stop___bug_table", "__bug_table"), Math.Max(bugSize, 4)));
        _staticCalls = new(() => CodeSites.Create(
            Relative(Bounds("__start_static_call_sites", "__stop_static_call_sites", ".static_call_sites"), 8), isCall: true));
        _mcount = new(ReadFtraceSites);
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
    public IReadOnlyList<ulong> ExceptionSites => _exceptions.Value.Addresses;

    /// <summary>Gets the jump-label sites, by rising address.</summary>
    public IReadOnlyList<ulong> JumpLabels => _jumps.Addresses;

    /// <summary>Gets the places of BUG and WARN, by rising address: <c>ud2</c>, from 6.19 on also what sets up a WARN's arguments.</summary>
    public IReadOnlyList<ulong> BugSites => _bugs.Addresses;

    /// <summary>Gets the inline static-call sites, by rising address.</summary>
    public IReadOnlyList<ulong> StaticCalls => _staticCalls.Value.Addresses;

    /// <summary>Gets the ftrace call sites, by rising address.</summary>
    public IReadOnlyList<ulong> FtraceSites => _mcount.Value.Addresses;

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

    /// <summary>Tells whether an address is the <c>ud2</c> of a BUG or WARN.</summary>
    public bool IsBugAddress(ulong address) => _bugs.BeginAt(address);

    /// <summary>The jump-label site that holds an address; null when it lies in none.</summary>
    public GuestRange? JumpLabelAt(ulong address) => _jumps.At(address);

    /// <summary>The inline static-call site that holds an address; null when it lies in none.</summary>
    public GuestRange? StaticCallAt(ulong address) => _staticCalls.Value.At(address);

    /// <summary>The ftrace call site that holds an address; null when it lies in none.</summary>
    public GuestRange? FtraceSiteAt(ulong address) => _mcount.Value.At(address);

    /// <summary>The call sites of functions that are there: from 6.15 on those of weak ones that another took the place of are zero.</summary>
    private CodeSites ReadFtraceSites()
    {
        ulong[] mcount = CodeSites.Absolute(BytesOf(Bounds("__start_mcount_loc", "__stop_mcount_loc", "__mcount_loc")));
        return CodeSites.Create(Array.FindAll(mcount, static site => site != 0), isCall: true);
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

    private ulong[] Relative(GuestRange range, int entrySize) => CodeSites.Relative(BytesOf(range), range.Start, entrySize);

    private List<GuestRange> ReadBlacklist()
    {
        GuestRange table = Bounds("__start_kprobe_blacklist", "__stop_kprobe_blacklist", "_kprobe_blacklist");
        return KprobeBlacklist.Collect(
            _symbols,
            CodeSites.Absolute(BytesOf(table)),
            [
                Bounds("__kprobes_text_start", "__kprobes_text_end", ""),
                Bounds("__noinstr_text_start", "__noinstr_text_end", ""),
                Bounds("__entry_text_start", "__entry_text_end", ""),
            ]);
    }
}
