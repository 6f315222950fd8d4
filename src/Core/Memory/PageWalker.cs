using System.Runtime.CompilerServices;

namespace KprobeTrace.Memory;

/// <summary>Walks 4-level page tables (Intel SDM vol. 3A §4.5).</summary>
internal static unsafe class PageWalker
{
    /// <summary>Physical address bits this processor has.</summary>
    public const int PhysicalAddressBits = 40;

    private const ulong Present = 1 << 0;
    private const ulong WritableBit = 1 << 1;
    private const ulong UserBit = 1 << 2;
    private const ulong Accessed = 1 << 5;
    private const ulong Dirty = 1 << 6;
    private const ulong LargePage = 1 << 7;
    private const ulong GlobalBit = 1 << 8;
    private const ulong NoExecute = 1UL << 63;
    private const ulong AddressMask = ((1UL << PhysicalAddressBits) - 1) & ~0xFFFUL;
    private const ulong ReservedAddress = ((1UL << 52) - 1) & ~((1UL << PhysicalAddressBits) - 1);

    private const uint ErrorPresent = 1;
    private const uint ErrorWrite = 2;
    private const uint ErrorUser = 4;
    private const uint ErrorReserved = 8;
    private const uint ErrorFetch = 16;

    /// <summary>Whether bits 63 to 47 of a linear address are all alike.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsCanonical(ulong linear) => (ulong)(((long)linear << 16) >> 16) == linear;

    /// <summary>Translates a canonical linear address for one access, setting accessed and dirty bits as hardware does.</summary>
    /// <param name="memory">Guest RAM that holds the tables.</param>
    /// <param name="cr3">Control register 3.</param>
    /// <param name="linear">Linear address.</param>
    /// <param name="access">What is done, and the mode bits in force.</param>
    public static PageWalk Walk(PhysicalMemory memory, ulong cr3, ulong linear, PageAccess access)
    {
        PageWalk walk = default;
        ulong* path0 = null, path1 = null, path2 = null;
        ulong table = cr3 & AddressMask;
        ulong rights = WritableBit | UserBit;
        bool noExecute = false;
        for (int level = 3; ; level--)
        {
            ulong* entry = EntryAt(memory, table, linear, level);
            ulong value = entry == null ? ulong.MaxValue : *entry;
            if ((value & Present) == 0)
            {
                return Fault(ref walk, 0, access);
            }

            bool leaf = level == 0 || (value & LargePage) != 0;
            if (HasReservedBits(value, level, leaf, access))
            {
                return Fault(ref walk, ErrorPresent | ErrorReserved, access);
            }

            rights &= value;
            noExecute |= (value & NoExecute) != 0;
            if (!leaf)
            {
                path2 = path1;
                path1 = path0;
                path0 = entry;
                table = value & AddressMask;
                continue;
            }

            if ((access & PageAccess.Peek) == 0)
            {
                if (!Allowed(rights, noExecute, access))
                {
                    return Fault(ref walk, ErrorPresent, access);
                }

                MarkAccessed(path0, path1, path2);
                MarkLeaf(entry, (access & PageAccess.Write) != 0);
            }

            ulong pageMask = (1UL << (12 + (9 * level))) - 1;
            walk.Ok = true;
            walk.Physical = (value & AddressMask & ~pageMask) | (linear & pageMask);
            walk.PageSize = pageMask + 1;
            walk.Global = (value & GlobalBit) != 0;
            walk.Writable = (*entry & Dirty) != 0 && Allowed(rights, noExecute, (access | PageAccess.Write) & ~PageAccess.Fetch);
            return walk;
        }
    }

    private static ulong* EntryAt(PhysicalMemory memory, ulong table, ulong linear, int level)
    {
        ulong address = table + (((linear >> (12 + (9 * level))) & 511) * 8);

        // SAFETY: entries are 8-byte aligned, so one that begins in RAM ends in it.
        return memory.Contains(address, 8) ? (ulong*)(memory.Base + address) : null;
    }

    private static bool HasReservedBits(ulong value, int level, bool leaf, PageAccess access)
    {
        ulong reserved = ReservedAddress;
        if ((access & PageAccess.NoExecuteEnabled) == 0)
        {
            reserved |= NoExecute;
        }

        if (level == 3)
        {
            reserved |= LargePage;
        }
        else if (leaf && level > 0)
        {
            // Bit 12 of a large page is its PAT bit; the rest below the page's own address bits must be zero.
            reserved |= ((1UL << (12 + (9 * level))) - 1) & ~0x1FFFUL;
        }

        return (value & reserved) != 0;
    }

    private static bool Allowed(ulong rights, bool noExecute, PageAccess access)
    {
        bool userPage = (rights & UserBit) != 0;
        bool writable = (rights & WritableBit) != 0;
        bool write = (access & PageAccess.Write) != 0;
        if ((access & PageAccess.Fetch) != 0)
        {
            return !noExecute && ((access & PageAccess.User) != 0 ? userPage : !userPage || (access & PageAccess.Smep) == 0);
        }

        if ((access & PageAccess.User) != 0)
        {
            return userPage && (!write || writable);
        }

        if (userPage && (access & PageAccess.Smap) != 0)
        {
            return false;
        }

        return !write || writable || (access & PageAccess.WriteProtect) == 0;
    }

    private static void MarkAccessed(ulong* path0, ulong* path1, ulong* path2)
    {
        Mark(path0, Accessed);
        Mark(path1, Accessed);
        Mark(path2, Accessed);
    }

    private static void MarkLeaf(ulong* leaf, bool write) => Mark(leaf, write ? Accessed | Dirty : Accessed);

    private static void Mark(ulong* entry, ulong bits)
    {
        if (entry != null && (*entry & bits) != bits)
        {
            *entry |= bits;
        }
    }

    private static PageWalk Fault(ref PageWalk walk, uint cause, PageAccess access)
    {
        bool fetchBit = (access & PageAccess.Fetch) != 0 && (access & (PageAccess.NoExecuteEnabled | PageAccess.Smep)) != 0;
        walk.ErrorCode = cause
            | ((access & PageAccess.Write) != 0 ? ErrorWrite : 0)
            | ((access & PageAccess.User) != 0 ? ErrorUser : 0)
            | (fetchBit ? ErrorFetch : 0);
        return walk;
    }
}
