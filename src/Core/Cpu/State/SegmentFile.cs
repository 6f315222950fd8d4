using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace KprobeTrace.Cpu.State;

/// <summary>The six segment registers, addressable by index.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SegmentFile
{
    /// <summary>ES.</summary>
    public Segment Es;

    /// <summary>CS.</summary>
    public Segment Cs;

    /// <summary>SS.</summary>
    public Segment Ss;

    /// <summary>DS.</summary>
    public Segment Ds;

    /// <summary>FS.</summary>
    public Segment Fs;

    /// <summary>GS.</summary>
    public Segment Gs;

    /// <summary>A segment with base 0, for operands that use none.</summary>
    public Segment Flat;

    /// <summary>Segment register by its index, ES = 0 to GS = 5.</summary>
    [UnscopedRef]
    public ref Segment this[int index] => ref Unsafe.Add(ref Es, index);
}
