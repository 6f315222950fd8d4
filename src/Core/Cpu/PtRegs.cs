using System.Runtime.InteropServices;

namespace KprobeTrace.Cpu;

/// <summary>The registers of a hit as Linux's trap frame names them, copied out of the CPU and back.</summary>
/// <remarks>
/// The sixteen general registers come first and in encoding order (ax cx dx bx sp bp si di r8 … r15), so that they are
/// one 128-byte copy of the CPU's register file. The order is ours; the names are those of <c>struct pt_regs</c>.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
public struct PtRegs
{
    /// <summary>RAX.</summary>
    public ulong Ax;

    /// <summary>RCX.</summary>
    public ulong Cx;

    /// <summary>RDX.</summary>
    public ulong Dx;

    /// <summary>RBX.</summary>
    public ulong Bx;

    /// <summary>RSP: the stack pointer of the interrupted context.</summary>
    public ulong Sp;

    /// <summary>RBP.</summary>
    public ulong Bp;

    /// <summary>RSI.</summary>
    public ulong Si;

    /// <summary>RDI.</summary>
    public ulong Di;

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

    /// <summary>RIP. In a pre-handler the probe's address plus one.</summary>
    public ulong Ip;

    /// <summary>RFLAGS.</summary>
    public ulong Flags;

    /// <summary>The CS selector.</summary>
    public ulong Cs;

    /// <summary>The SS selector.</summary>
    public ulong Ss;

    /// <summary>What Linux keeps beside the registers for system calls; all ones in a probe hit.</summary>
    public ulong OrigAx;

    private static readonly string[] _names = FieldNames.Of<PtRegs>();

    /// <summary>The registers' names in the order of the fields.</summary>
    internal static ReadOnlySpan<string> Names => _names;
}
