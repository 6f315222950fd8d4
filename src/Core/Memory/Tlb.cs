using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace KprobeTrace.Memory;

/// <summary>The software TLB: one direct-mapped table per access mode, so that a change of privilege is a change of pointer.</summary>
internal sealed unsafe class Tlb : IDisposable
{
    /// <summary>Entries in one table.</summary>
    public const int Entries = 1024;

    /// <summary>Access modes: user, supervisor, supervisor with EFLAGS.AC lifting SMAP, user with alignment checks.</summary>
    public const int Modes = 4;

    /// <summary>Table of user-mode accesses.</summary>
    public const int User = 0;

    /// <summary>Table of supervisor accesses.</summary>
    public const int Supervisor = 1;

    /// <summary>Table of supervisor accesses while AC lifts SMAP (Intel SDM vol. 3A §4.6.1).</summary>
    public const int SupervisorAc = 2;

    /// <summary>
    /// Table of user-mode accesses while every operand must be aligned: it stays empty, so that the slow path sees them all.
    /// </summary>
    public const int UserAligned = 3;

    /// <summary>Binary logarithm of an entry's size, so that a shift and a mask make an offset into the table.</summary>
    private const int EntryShift = 5;

    private TlbEntry* _entries;

    /// <summary>Allocates the tables, all invalid.</summary>
    public Tlb()
    {
        _entries = (TlbEntry*)NativeMemory.AlignedAlloc((nuint)(sizeof(TlbEntry) * Entries * Modes), 64);
        FlushAll();
    }

    /// <summary>Frees the tables of a TLB that was never disposed.</summary>
    ~Tlb() => Free();

    /// <summary>First entry of the table of an access mode.</summary>
    public TlbEntry* Table(int mode) => _entries + (mode * Entries);

    /// <summary>The entry of a table in which a linear address stands, if it does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TlbEntry* EntryOf(TlbEntry* table, ulong address) =>
        (TlbEntry*)((byte*)table + ((address >> (12 - EntryShift)) & ((Entries - 1) << EntryShift)));

    /// <summary>A tag that no address mapping to entry <paramref name="index"/> lies within a page of.</summary>
    public static ulong InvalidTag(int index) => ((ulong)(index ^ 1) << 12) | 0x0800_0000_0000_0000;

    /// <summary>Forgets every translation.</summary>
    public void FlushAll()
    {
        for (int i = 0; i < Entries * Modes; i++)
        {
            Invalidate(_entries + i, i & (Entries - 1));
        }
    }

    /// <summary>Forgets every translation but those of global pages (load of CR3).</summary>
    public void FlushNonGlobal()
    {
        for (int i = 0; i < Entries * Modes; i++)
        {
            if ((_entries[i].Flags & TlbEntry.Global) == 0)
            {
                Invalidate(_entries + i, i & (Entries - 1));
            }
        }
    }

    /// <summary>Forgets one page in every mode (INVLPG), and with it all pieces of the large page that holds the address.</summary>
    public void FlushPage(ulong linear)
    {
        for (int i = 0; i < Entries * Modes; i++)
        {
            TlbEntry* e = _entries + i;
            int shift = (e->Flags & TlbEntry.Page1G) != 0 ? 30 : (e->Flags & TlbEntry.Page2M) != 0 ? 21 : 12;
            if (e->ReadTag >> shift == linear >> shift)
            {
                Invalidate(e, i & (Entries - 1));
            }
        }
    }

    /// <summary>Makes the next store to a physical page take the slow path, in every mode: its bytes have been decoded.</summary>
    public void ProtectHostPage(byte* hostPage)
    {
        for (int i = 0; i < Entries * Modes; i++)
        {
            TlbEntry* e = _entries + i;
            if (e->WriteTag + e->Addend == (ulong)hostPage)
            {
                e->WriteTag = InvalidTag(i & (Entries - 1));
            }
        }
    }

    /// <summary>Frees the tables.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private static void Invalidate(TlbEntry* e, int index)
    {
        e->ReadTag = e->WriteTag = InvalidTag(index);
        e->Addend = 0;
        e->Flags = 0;
    }

    private void Free()
    {
        NativeMemory.AlignedFree(_entries);
        _entries = null;
    }
}
