using System.Runtime.InteropServices;

namespace KprobeTrace.Tracing;

/// <summary>The register state of an event: general registers, instruction pointer, flags and CR3.</summary>
/// <remarks>The order is that of the trace format and of the `regs` view.</remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct TraceRegisters
{
    /// <summary>How many 64-bit registers the structure holds.</summary>
    public const int Count = 19;

#pragma warning disable CA1051 // a plain record of registers, filled field by field on the path of every hit
    /// <summary>RAX.</summary>
    public ulong Ax;

    /// <summary>RBX.</summary>
    public ulong Bx;

    /// <summary>RCX.</summary>
    public ulong Cx;

    /// <summary>RDX.</summary>
    public ulong Dx;

    /// <summary>RSI.</summary>
    public ulong Si;

    /// <summary>RDI.</summary>
    public ulong Di;

    /// <summary>RBP.</summary>
    public ulong Bp;

    /// <summary>RSP.</summary>
    public ulong Sp;

    /// <summary>R8.</summary>
    public ulong R8;

    /// <summary>R9.</summary>
    public ulong R9;

    /// <summary>R10.</summary>
    public ulong R10;

    /// <summary>R11.</summary>
    public ulong R11;

    /// <summary>R12.</summary>
    public ulong R12;

    /// <summary>R13.</summary>
    public ulong R13;

    /// <summary>R14.</summary>
    public ulong R14;

    /// <summary>R15.</summary>
    public ulong R15;

    /// <summary>RIP as a handler sees it.</summary>
    public ulong Ip;

    /// <summary>RFLAGS.</summary>
    public ulong Flags;

    /// <summary>CR3: the address space.</summary>
    public ulong Cr3;
#pragma warning restore CA1051

    private static readonly string[] _names = FieldNames.Of<TraceRegisters>();

    /// <summary>The registers' names in the order of the fields.</summary>
    public static ReadOnlySpan<string> Names => _names;

    /// <summary>The registers as a span of <see cref="Count"/> numbers in the order of the fields.</summary>
    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public Span<ulong> AsSpan() => MemoryMarshal.CreateSpan(ref Ax, Count);

    /// <summary>The registers as a span of <see cref="Count"/> numbers in the order of the fields.</summary>
    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public readonly ReadOnlySpan<ulong> AsReadOnlySpan() => MemoryMarshal.CreateReadOnlySpan(in Ax, Count);
}
