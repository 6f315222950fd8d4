using System.Buffers.Binary;
using KprobeTrace.Symbols;

namespace KprobeTrace.Guest;

/// <content>Loaded modules, from the kernel's list of them.</content>
internal sealed unsafe partial class LinuxGuest
{
    /// <summary>Most modules that are known at once.</summary>
    internal const int MaxModules = 4096;

    private const uint MaxModuleSymbols = 400_000;
    private const uint MaxModuleSize = 1u << 30;
    private const int MaxModuleName = 64;
    private const int MaxSymbolName = 512;
    private const int ElfSymbolSize = 24;

    /// <summary>Reads the list of modules as it is now, newest first; empty when the kernel has none or BTF is missing.</summary>
    public IReadOnlyList<GuestModule> ReadModules()
    {
        List<GuestModule> modules = [];
        if (_symbols.AddressOf("modules") is not ulong head || _types?.OffsetOf("module", "list") is not uint link
            || !_memory.TryReadUInt64(head, out ulong at))
        {
            return modules;
        }

        while (at != head && at != 0 && modules.Count < MaxModules)
        {
            if (ReadModule(at - link) is GuestModule module)
            {
                modules.Add(module);
            }

            // One that cannot be read is taken for 0.
            _ = _memory.TryReadUInt64(at, out at);
        }

        return modules;
    }

    /// <summary>Reads one module; null when its memory cannot be read.</summary>
    /// <param name="address">Address of its <c>struct module</c>.</param>
    public GuestModule? ReadModule(ulong address)
    {
        if (ReadModuleName(address) is not string name || ReadModuleState(address) is not uint state)
        {
            return null;
        }

        (GuestRange core, GuestRange coreText) = ReadLayout(address, "core_layout", 0);
        (GuestRange init, GuestRange initText) = ReadLayout(address, "init_layout", 4);
        return new GuestModule(
            name, address, state, core, init, coreText, initText, ReadSymbols(address, name), ReadOrc(address))
        {
            Tables = ReadTables(address, coreText, initText),
        };
    }

    /// <summary>Reads a module's name; null when its memory cannot be read.</summary>
    /// <param name="address">Address of its <c>struct module</c>.</param>
    public string? ReadModuleName(ulong address) =>
        _types?.OffsetOf("module", "name") is uint name ? _memory.ReadString(address + name, MaxModuleName) : null;

    /// <summary>Reads the state a module is in now: 0 live, 1 coming, 2 going, 3 being set up; null when it cannot be read.</summary>
    /// <param name="address">Address of its <c>struct module</c>.</param>
    public uint? ReadModuleState(ulong address) =>
        _types?.OffsetOf("module", "state") is uint state && _memory.TryReadUInt32(address + state, out uint value)
            ? value
            : null;

    // Up to 6.3: one layout with a size and a text size. From 6.4: an array of memories by type, of which 0 is the core
    // text, 1 to 3 its data, 4 the init text and 5 to 6 its data.
    private (GuestRange Whole, GuestRange Text) ReadLayout(ulong module, string layout, uint textIndex)
    {
        if (_types!.OffsetOf("module", layout) is uint at)
        {
            string type = _types.FindStruct("module_layout") is null ? "module_memory" : "module_layout";
            uint? textSize = _types.OffsetOf(type, "text_size");
            GuestRange whole = ReadRange(module + at, type, "size");
            return (whole, textSize is null ? whole : ReadRange(module + at, type, "text_size"));
        }

        if (_types.OffsetOf("module", "mem") is uint memories && _types.FindStruct("module_memory") is BtfType memory)
        {
            GuestRange text = ReadRange(module + memories + (textIndex * memory.Size), "module_memory", "size");
            return (text, text);
        }

        return (default, default);
    }

    private GuestRange ReadRange(ulong at, string type, string sizeMember)
    {
        return _types!.OffsetOf(type, "base") is uint start && _types.OffsetOf(type, sizeMember) is uint size
            && _memory.TryReadUInt64(at + start, out ulong first) && _memory.TryReadUInt32(at + size, out uint length)
            && first != 0 && length <= MaxModuleSize
            ? new GuestRange(first, first + length)
            : default;
    }

    private GuestOrcTable ReadOrc(ulong module)
    {
        if (_types!.OffsetOf("module", "arch") is not uint arch
            || _types.OffsetOf("mod_arch_specific", "num_orcs") is not uint count
            || _types.OffsetOf("mod_arch_specific", "orc_unwind_ip") is not uint ips
            || _types.OffsetOf("mod_arch_specific", "orc_unwind") is not uint entries
            || !_memory.TryReadUInt32(module + arch + count, out uint number)
            || !_memory.TryReadUInt64(module + arch + ips, out ulong ipTable)
            || !_memory.TryReadUInt64(module + arch + entries, out ulong entryTable))
        {
            return default;
        }

        return new GuestOrcTable(ipTable, entryTable, number);
    }

    private List<Symbol> ReadSymbols(ulong module, string name)
    {
        List<Symbol> symbols = [];
        if (_types!.OffsetOf("module", "kallsyms") is not uint kallsyms
            || _types.OffsetOf("mod_kallsyms", "symtab") is not uint tableAt
            || _types.OffsetOf("mod_kallsyms", "num_symtab") is not uint countAt
            || _types.OffsetOf("mod_kallsyms", "strtab") is not uint stringsAt
            || !_memory.TryReadUInt64(module + kallsyms, out ulong table)
            || !_memory.TryReadUInt64(table + tableAt, out ulong entries)
            || !_memory.TryReadUInt32(table + countAt, out uint count)
            || !_memory.TryReadUInt64(table + stringsAt, out ulong strings)
            || count > MaxModuleSymbols)
        {
            return symbols;
        }

        // Before 5.2 the letter stood in the symbol entry itself.
        ulong letters = _types.OffsetOf("mod_kallsyms", "typetab") is uint typesAt
            && _memory.TryReadUInt64(table + typesAt, out ulong typeTable) ? typeTable : 0;
        Span<byte> entry = stackalloc byte[ElfSymbolSize];
        Span<byte> letter = stackalloc byte[1];
        for (uint i = 0; i < count && _memory.TryRead(entries + (i * ElfSymbolSize), entry)
            && (letters == 0 || _memory.TryRead(letters + i, letter)); i++)
        {
            ulong address = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]);
            bool isDefined = entry[6..8].ContainsAnyExcept((byte)0);
            string? text = isDefined ? _memory.ReadString(strings + BinaryPrimitives.ReadUInt32LittleEndian(entry), MaxSymbolName) : null;
            char kind = (char)(letters == 0 ? entry[4] : letter[0]);
            if (!string.IsNullOrEmpty(text) && char.IsAsciiLetter(kind))
            {
                symbols.Add(new Symbol(text, address, 0, kind, name));
            }
        }

        return symbols;
    }
}
