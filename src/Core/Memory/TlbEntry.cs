using System.Runtime.InteropServices;

namespace KprobeTrace.Memory;

/// <summary>One entry of the software TLB: where a linear page lies in host memory, and what may be done there without a walk.</summary>
/// <remarks>
/// A tag is the page's linear address, or a value that no address with this entry's index can come near
/// (<see cref="Tlb.InvalidTag"/>). <c>address - tag &lt;= 4096 - size</c> then tests presence, permission and page crossing at once.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct TlbEntry
{
    /// <summary>Page's linear address when reads need no walk.</summary>
    public ulong ReadTag;

    /// <summary>Page's linear address when writes need no walk: writable, dirty, and no decoded code in it.</summary>
    public ulong WriteTag;

    /// <summary>Host address minus linear address.</summary>
    public ulong Addend;

    /// <summary>Bits <see cref="Global"/>, <see cref="Page2M"/>, <see cref="Page1G"/>.</summary>
    public ulong Flags;

    /// <summary>The page is global and survives a load of CR3.</summary>
    public const ulong Global = 1;

    /// <summary>Part of a 2 MiB page.</summary>
    public const ulong Page2M = 2;

    /// <summary>Part of a 1 GiB page.</summary>
    public const ulong Page1G = 4;
}
