using System.Runtime.InteropServices;

namespace KprobeTrace.Cpu.State;

/// <summary>A segment register: the visible selector and the hidden descriptor (Intel SDM vol. 3A §3.4.3).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Segment
{
    /// <summary>Index of ES.</summary>
    public const int Es = 0;

    /// <summary>Index of CS.</summary>
    public const int Cs = 1;

    /// <summary>Index of SS.</summary>
    public const int Ss = 2;

    /// <summary>Index of DS.</summary>
    public const int Ds = 3;

    /// <summary>Index of FS.</summary>
    public const int Fs = 4;

    /// <summary>Index of GS.</summary>
    public const int Gs = 5;

    /// <summary>Bit of <see cref="Attributes"/>: present.</summary>
    public const ushort Present = 1 << 7;

    /// <summary>Bit of <see cref="Attributes"/>: 64-bit code.</summary>
    public const ushort Code64 = 1 << 13;

    /// <summary>Bit of <see cref="Attributes"/>: default size is 32 bits.</summary>
    public const ushort Big = 1 << 14;

    /// <summary>Linear address of the segment's first byte.</summary>
    public ulong Base;

    /// <summary>Last offset, in bytes (granularity applied).</summary>
    public uint Limit;

    /// <summary>Selector as software sees it.</summary>
    public ushort Selector;

    /// <summary>Type, S, DPL, P (bits 0-7), AVL, L, D/B, G (bits 12-15), as in a descriptor's second word.</summary>
    public ushort Attributes;
}
