using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Blocks;

/// <summary>Maps linear addresses to blocks without looking at page tables; one table for user and one for supervisor mode.</summary>
/// <remarks>Emptied whenever a translation may have changed, as the TLB is.</remarks>
internal sealed unsafe class JumpCache : IDisposable
{
    /// <summary>Entries in one table.</summary>
    public const int Entries = 4096;

    private JumpCacheEntry* _entries;

    /// <summary>Allocates both tables, empty.</summary>
    public JumpCache()
    {
        _entries = (JumpCacheEntry*)NativeMemory.AlignedAlloc((nuint)(sizeof(JumpCacheEntry) * Entries * 2), 64);
        Flush();
    }

    /// <summary>Frees the tables of a cache that was never disposed.</summary>
    ~JumpCache() => Free();

    /// <summary>First entry of the user (true) or supervisor table.</summary>
    public JumpCacheEntry* Table(bool user) => _entries + (user ? Entries : 0);

    /// <summary>Where an address stands in a table.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint IndexOf(ulong rip) => ((uint)rip ^ (uint)(rip >> 12)) & (Entries - 1);

    /// <summary>Empties one entry: an address that belongs to its neighbour matches no look-up there.</summary>
    public static void Forget(JumpCacheEntry* entry, uint index)
    {
        entry->Rip = index ^ 1;
        entry->Target = null;
    }

    /// <summary>Forgets all blocks.</summary>
    public void Flush() => Flush(_entries, 2 * Entries);

    /// <summary>Forgets the blocks of one privilege.</summary>
    public void Flush(bool user) => Flush(Table(user), Entries);

    /// <summary>Frees the tables.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private static void Flush(JumpCacheEntry* from, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Forget(from + i, (uint)i & (Entries - 1));
        }
    }

    private void Free()
    {
        NativeMemory.AlignedFree(_entries);
        _entries = null;
    }
}
