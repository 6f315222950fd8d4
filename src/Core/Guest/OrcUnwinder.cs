using KprobeTrace.Loaders;
using KprobeTrace.Symbols;

namespace KprobeTrace.Guest;

/// <summary>Walks kernel stacks: with the kernel's ORC tables, or along frame pointers where there are none.</summary>
/// <remarks>
/// ORC rules (arch/x86/include/asm/orc_types.h) say for each instruction where the caller's stack pointer is. An entry
/// is two 16-bit offsets and a 16-bit word: stack register (4 bits), frame register (4 bits), type, end or signal
/// flags. The word's layout has changed with 6.4, so BTF's description of <c>struct orc_entry</c> decides, and the
/// layout of 5.8 to 6.3 holds without one. The registers have other numbers since 7.0, which nothing says but the rules
/// themselves: most of them are about the stack pointer. Not safe for use by several threads.
/// </remarks>
internal sealed unsafe class OrcUnwinder
{
    private const int RegisterUndefined = 0;
    private const int RegisterPreviousSp = 1;
    private const int RegisterDx = 2;
    private const int RegisterDi = 3;
    private const int RegisterBp = 4;
    private const int RegisterSp = 5;
    private const int RegisterR10 = 6;
    private const int RegisterR13 = 7;
    private const int RegisterBpIndirect = 8;
    private const int RegisterSpIndirect = 9;
    private const int RegisterOther = 15;

    /// <summary>The number that the stack pointer has since 7.0; before, RDI had it, which hardly any rule is about.</summary>
    private const int LaterSp = 3;
    private const ulong SavedBp = 32;

    /// <summary>The registers of the numbers up to 6.x, and those of the numbers since 7.0.</summary>
    private static readonly byte[] _numbers =
    [
        RegisterUndefined, RegisterPreviousSp, RegisterDx, RegisterDi, RegisterBp, RegisterSp, RegisterR10, RegisterR13, RegisterBpIndirect,
        RegisterSpIndirect,
    ];

    private static readonly byte[] _laterNumbers =
    [
        RegisterUndefined, RegisterOther, RegisterDx, RegisterSp, RegisterBp, RegisterDi, RegisterR10, RegisterR13, RegisterPreviousSp,
        RegisterSpIndirect, RegisterBpIndirect,
    ];

    private const ulong SavedR13 = 16;
    private const ulong SavedR10 = 56;
    private const ulong SavedDx = 96;
    private const ulong SavedDi = 112;
    private const ulong SavedIp = 128;
    private const ulong SavedCs = 136;
    private const ulong SavedSp = 152;
    private const ulong MaxStack = 1UL << 20;
    private const uint MaxModuleEntries = 4_000_000;
    private const ulong PageSize = 0x1000;

    private readonly IGuestMemory _memory;
    private readonly OrcTable _kernel;
    private readonly List<(string Module, GuestRange Core, GuestRange Init, OrcTable Table)> _modules = [];
    private readonly GuestRange _text;
    private readonly GuestRange _initText;
    private readonly int _typeShift = 8;
    private readonly int _typeMask = 3;
    private readonly int _endMask = 1 << 10;
    private readonly bool _numbersUndefined;
    private readonly byte[] _registers;

    private ulong _page = ulong.MaxValue;
    private byte* _pagePointer;

    /// <summary>Reads the kernel's own tables.</summary>
    /// <param name="image">The image.</param>
    /// <param name="symbols">Its symbols.</param>
    /// <param name="types">Its BTF, null when it has none.</param>
    /// <param name="memory">The kernel's memory, where the stacks are.</param>
    public OrcUnwinder(LoadedImage image, SymbolTable symbols, Btf? types, IGuestMemory memory)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(symbols);
        ArgumentNullException.ThrowIfNull(memory);
        _memory = memory;
        _text = Range(symbols, "_stext", "_etext");
        _initText = Range(symbols, "_sinittext", "_einittext");
        if (_text.End == 0)
        {
            _text = TextOf(image);
        }

        GuestRange ips = Range(symbols, "__start_orc_unwind_ip", "__stop_orc_unwind_ip");
        ReadOnlyMemory<byte> entries = Bytes(image, Range(symbols, "__start_orc_unwind", "__stop_orc_unwind"));
        OrcTable table = new(Bytes(image, ips).Span, ips.Start, entries);
        _kernel = table.IsSorted ? table : new OrcTable(default, ips.Start, default);
        _registers = _kernel.RulesFrom(LaterSp) > _kernel.RulesFrom(RegisterSp) ? _laterNumbers : _numbers;
        if (types?.FindStruct("orc_entry") is BtfType entry && types.FindMember(entry, "type") is BtfMember type)
        {
            _typeShift = (int)type.BitOffset - 32;
            _typeMask = (1 << (int)type.BitSize) - 1;
            _endMask = types.FindMember(entry, "end") is BtfMember end ? 1 << ((int)end.BitOffset - 32) : 0;
            _numbersUndefined = type.BitSize >= 3;
        }
    }

    /// <summary>Gets a value telling whether ORC tables were found; without them frame pointers are followed.</summary>
    public bool HasOrc => _kernel.Count > 0;

    /// <summary>The guest's own return trampolines; a walk goes on behind the address that one stands for.</summary>
    public ReturnTrampolines? Trampolines { get; set; }

    /// <summary>Adds a loaded module's tables, replacing those of a module of the same name.</summary>
    public void AddModule(GuestModule module)
    {
        ArgumentNullException.ThrowIfNull(module);
        RemoveModule(module.Name);
        if (module.Orc.Count is 0 or > MaxModuleEntries)
        {
            return;
        }

        byte[] ips = new byte[module.Orc.Count * 4];
        byte[] entries = new byte[module.Orc.Count * 6];
        if (_memory.TryRead(module.Orc.Ips, ips) && _memory.TryRead(module.Orc.Entries, entries))
        {
            OrcTable table = new(ips, module.Orc.Ips, entries);
            if (table.IsSorted)
            {
                _modules.Add((module.Name, module.CoreText, module.InitText, table));
            }
        }
    }

    /// <summary>Removes a module's tables; does nothing when it has none here.</summary>
    public void RemoveModule(string module) => _modules.RemoveAll(m => m.Module == module);

    /// <summary>Collects the return addresses on a kernel stack, innermost first.</summary>
    /// <param name="start">The registers; the walk starts at the instruction they are about to run.</param>
    /// <param name="into">Where the addresses go; its length is the limit.</param>
    /// <returns>How many were found. The walk ends at user mode, at the stack's end, or where no rule holds.</returns>
    public int Walk(in UnwindRegisters start, Span<ulong> into)
    {
        _page = ulong.MaxValue;
        Trampolines?.BeginWalk();
        return HasOrc ? WalkOrc(start, exact: true, into, 0) : WalkFramePointers(start, into);
    }

    /// <summary>Collects the return addresses on a kernel stack as a function that has just returned found them.</summary>
    /// <param name="caller">
    /// The caller's registers: the return address, which comes first, and the stack pointer just above its slot.
    /// </param>
    /// <param name="into">Where the addresses go; its length is the limit.</param>
    /// <returns>How many were found.</returns>
    public int WalkReturned(in UnwindRegisters caller, Span<ulong> into)
    {
        _page = ulong.MaxValue;
        Trampolines?.BeginWalk();
        UnwindRegisters at = caller with { Ip = Recover(caller.Ip, caller.Sp - 8) };
        if (into.IsEmpty || !IsText(at.Ip))
        {
            return 0;
        }

        into[0] = at.Ip;
        return HasOrc ? WalkOrc(at, exact: false, into, 1) : WalkFrames(at.Sp, at.Bp, into, 1);
    }

    private int WalkOrc(UnwindRegisters at, bool exact, Span<ulong> into, int count)
    {
        while (count < into.Length)
        {
            // A return address points behind the call, perhaps into the next function: the call itself has the rule.
            if (!TryFind(exact ? at.Ip : at.Ip - 1, out short spOffset, out short bpOffset, out ushort bits))
            {
                break;
            }

            int type = (bits >> _typeShift) & _typeMask;
            int kind = _numbersUndefined ? type - 2 : type;
            if ((bits & _endMask) != 0 || kind < 0 || kind > 2 || !TryFrame(RegisterOf(bits), spOffset, at, out ulong frame))
            {
                break;
            }

            UnwindRegisters next = Step(kind, RegisterOf(bits >> 4), bpOffset, frame, at);
            if (!IsText(next.Ip) || (kind == 0 && next.Sp <= at.Sp && next.Sp + MaxStack > at.Sp))
            {
                break;
            }

            exact = kind != 0;
            at = next;
            into[count++] = at.Ip;
        }

        return count;
    }

    private bool TryFind(ulong ip, out short spOffset, out short bpOffset, out ushort bits)
    {
        if (_text.Contains(ip) || _initText.Contains(ip))
        {
            return _kernel.TryFind(ip, out spOffset, out bpOffset, out bits);
        }

        foreach ((string _, GuestRange core, GuestRange init, OrcTable table) in _modules)
        {
            if (core.Contains(ip) || init.Contains(ip))
            {
                return table.TryFind(ip, out spOffset, out bpOffset, out bits);
            }
        }

        spOffset = 0;
        bpOffset = 0;
        bits = 0;
        return false;
    }

    // The caller's stack pointer as it was before the call pushed the return address.
    private bool TryFrame(int register, short offset, in UnwindRegisters at, out ulong frame)
    {
        ulong shift = (ulong)(long)offset;
        ulong value = register switch
        {
            RegisterSp or RegisterSpIndirect => at.Sp,
            RegisterBp or RegisterBpIndirect => at.Bp,
            RegisterDx => at.Dx,
            RegisterDi => at.Di,
            RegisterR10 => at.R10,
            RegisterR13 => at.R13,
            _ => 0,
        };
        frame = value + (register == RegisterSpIndirect || register is RegisterDx or RegisterDi or RegisterR10
            or RegisterR13 ? 0 : shift);
        if (register is RegisterBpIndirect or RegisterSpIndirect && !TryRead(frame, out frame))
        {
            return false;
        }

        frame += register == RegisterSpIndirect ? shift : 0;
        return value != 0 && (frame & 7) == 0;
    }

    /// <summary>The register of a number, by the numbers of this kernel.</summary>
    private int RegisterOf(int bits) => (bits & 0xF) < _registers.Length ? _registers[bits & 0xF] : RegisterOther;

    /// <summary>What the caller's registers were; all zero where the walk ends.</summary>
    private UnwindRegisters Step(int kind, int bpRegister, short bpOffset, ulong frame, in UnwindRegisters at)
    {
        ulong bp = at.Bp;
        ulong ip;
        ulong sp = frame;
        ulong dx = 0;
        ulong di = 0;
        ulong r10 = 0;
        ulong r13 = 0;
        if (kind == 0)
        {
            if (!TryRead(frame - 8, out ip))
            {
                return default;
            }

            ip = Recover(ip, frame - 8);
        }
        else
        {
            // Type 1: a whole pt_regs stands at the frame; type 2: only the part the processor pushed.
            ulong registers = kind == 1 ? frame : frame - SavedIp;
            if (!TryRead(registers + SavedIp, out ip) || !TryRead(registers + SavedCs, out ulong cs)
                || !TryRead(registers + SavedSp, out sp) || (kind == 1 && !TryRead(registers + SavedBp, out bp)))
            {
                return default;
            }

            if ((cs & 3) != 0)
            {
                return default;
            }

            // What was interrupted may keep its frame in a register that is among those saved.
            if (kind == 1 && (!TryRead(registers + SavedDx, out dx) || !TryRead(registers + SavedDi, out di)
                || !TryRead(registers + SavedR10, out r10) || !TryRead(registers + SavedR13, out r13)))
            {
                return default;
            }
        }

        if (bpRegister is RegisterPreviousSp or RegisterBp)
        {
            ulong from = bpRegister == RegisterPreviousSp ? frame : at.Bp;
            if (!TryRead(from + (ulong)(long)bpOffset, out bp))
            {
                return default;
            }
        }
        else if (bpRegister != RegisterUndefined)
        {
            return default;
        }

        return new UnwindRegisters(ip, sp, bp, dx, di, r10, r13);
    }

    // With frame pointers, the word at BP is the caller's BP and the one above it the return address. At a function's
    // first instruction the frame is not set up yet, and the return address is at SP.
    private int WalkFramePointers(in UnwindRegisters start, Span<ulong> into)
    {
        int count = 0;
        if (start.Sp != start.Bp + 8 && TryRead(start.Sp, out ulong first) && !into.IsEmpty)
        {
            first = Recover(first, start.Sp);
            if (IsText(first))
            {
                into[count++] = first;
            }
        }

        return WalkFrames(start.Sp, start.Bp, into, count);
    }

    private int WalkFrames(ulong below, ulong bp, Span<ulong> into, int count)
    {
        while (count < into.Length && bp >= below && bp - below < MaxStack && (bp & 7) == 0
            && TryRead(bp, out ulong next) && TryRead(bp + 8, out ulong ip))
        {
            ip = Recover(ip, bp + 8);
            if (!IsText(ip))
            {
                break;
            }

            into[count++] = ip;
            below = bp + 16;
            bp = next;
        }

        return count;
    }

    private ulong Recover(ulong address, ulong slot) => Trampolines?.Recover(address, slot) ?? address;

    private bool IsText(ulong address)
    {
        if (_text.Contains(address) || _initText.Contains(address))
        {
            return true;
        }

        foreach ((string _, GuestRange core, GuestRange init, OrcTable _) in _modules)
        {
            if (core.Contains(address) || init.Contains(address))
            {
                return true;
            }
        }

        return false;
    }

    private bool TryRead(ulong address, out ulong value)
    {
        value = 0;
        if ((address & 7) != 0)
        {
            return false;
        }

        ulong page = address & ~(PageSize - 1);
        if (page != _page)
        {
            _pagePointer = _memory.TryGetPointer(page);
            _page = page;
        }

        if (_pagePointer is null)
        {
            return false;
        }

        // SAFETY: the address is aligned, so its eight bytes lie within the page the pointer is good for.
        value = *(ulong*)(_pagePointer + (address - page));
        return true;
    }

    private static GuestRange Range(SymbolTable symbols, string start, string end) =>
        symbols.AddressOf(start) is ulong first && symbols.AddressOf(end) is ulong last && last > first
            ? new GuestRange(first, last)
            : default;

    private static GuestRange TextOf(LoadedImage image)
    {
        GuestRange text = default;
        foreach (LinkRange range in image.LinkRanges)
        {
            if (range.Executable)
            {
                text = text.End == 0
                    ? new GuestRange(range.LinkAddress, range.LinkAddress + range.Length)
                    : text with { End = Math.Max(text.End, range.LinkAddress + range.Length) };
            }
        }

        return text;
    }

    private static ReadOnlyMemory<byte> Bytes(LoadedImage image, GuestRange range)
    {
        ReadOnlyMemory<byte> bytes = image.BytesAtLink(range.Start);
        ulong length = range.End - range.Start;
        return length <= (ulong)bytes.Length ? bytes[..(int)length] : default;
    }
}
