namespace KprobeTrace.Guest;

/// <content>What modules say of their code.</content>
internal sealed unsafe partial class LinuxGuest
{
    private const uint MaxModuleTable = 32 << 20;
    private const int ExceptionEntrySize = 12;
    private const int JumpEntrySize = 16;
    private const int StaticCallEntrySize = 8;
    private const uint DefaultBugEntrySize = 12;

    /// <summary>Reads a module's tables, as far as they speak of text that is there.</summary>
    private ModuleTables ReadTables(ulong module, GuestRange core, GuestRange init)
    {
        int bugSize = Math.Max(4, (int)(_types!.FindStruct("bug_entry")?.Size ?? DefaultBugEntrySize));
        ulong[] jumps = RelativeTable(module, "jump_entries", "num_jump_entries", JumpEntrySize);
        ulong[] bugs = RelativeTable(module, "bug_table", "num_bugs", bugSize);
        ulong[] exceptions = RelativeTable(module, "extable", "num_exentries", ExceptionEntrySize);
        ulong[] calls = RelativeTable(module, "static_call_sites", "num_static_call_sites", StaticCallEntrySize);
        byte[] functions = ReadTable(module, "kprobe_blacklist", "num_kprobe_blacklist", sizeof(ulong), out _);
        return new ModuleTables
        {
            JumpLabels = CodeSites.CreateJumps(Array.FindAll(jumps, IsThere), _memory.TryRead),
            BugSites = CodeSites.Create(Array.FindAll(bugs, IsThere)),
            ExceptionSites = CodeSites.Create(Array.FindAll(exceptions, IsThere)),
            StaticCalls = CodeSites.Create(Array.FindAll(calls, IsThere), isCall: true),
            BlacklistedFunctions = Array.FindAll(CodeSites.Absolute(functions), IsThere),
            BlacklistedText =
            [
                .. Area(module, "kprobes_text_start", "kprobes_text_size", IsThere),
                .. Area(module, "noinstr_text_start", "noinstr_text_size", IsThere),
            ],
        };

        // Entries of init text stay in the tables when that text is freed and something else takes its place.
        bool IsThere(ulong address) => core.Contains(address) || init.Contains(address);
    }

    private ulong[] RelativeTable(ulong module, string table, string count, int entrySize)
    {
        byte[] bytes = ReadTable(module, table, count, entrySize, out ulong start);
        return CodeSites.Relative(bytes, start, entrySize);
    }

    private byte[] ReadTable(ulong module, string table, string count, int entrySize, out ulong start)
    {
        start = 0;
        if (_types!.OffsetOf("module", table) is not uint tableAt || _types.OffsetOf("module", count) is not uint countAt
            || !_memory.TryReadUInt64(module + tableAt, out start) || start == 0
            || !_memory.TryReadUInt32(module + countAt, out uint entries) || entries > MaxModuleTable / (uint)entrySize)
        {
            return [];
        }

        // The memory is looked at before it is asked for: a bad count costs nothing.
        ulong length = entries * (ulong)entrySize;
        Span<byte> last = stackalloc byte[1];
        if (length == 0 || !_memory.TryRead(start + length - 1, last))
        {
            return [];
        }

        byte[] bytes = new byte[length];
        return _memory.TryRead(start, bytes) ? bytes : [];
    }

    private GuestRange[] Area(ulong module, string start, string size, Predicate<ulong> isThere) =>
        _types!.OffsetOf("module", start) is uint startAt && _types.OffsetOf("module", size) is uint sizeAt
        && _memory.TryReadUInt64(module + startAt, out ulong first) && _memory.TryReadUInt32(module + sizeAt, out uint length)
        && length is > 0 and <= MaxModuleSize && isThere(first) && isThere(first + length - 1)
            ? [new GuestRange(first, first + length)]
            : [];
}
