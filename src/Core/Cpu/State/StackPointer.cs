using System.Runtime.CompilerServices;

namespace KprobeTrace.Cpu.State;

/// <summary>RSP, of which SS and the mode say how much counts (Intel SDM vol. 1 §6.2.3).</summary>
internal static unsafe class StackPointer
{
    /// <summary>Linear address of a stack offset.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Linear(CpuState* s, ulong offset) =>
        s->In64BitCode ? offset : (uint)(s->Segments.Ss.Base + (offset & WidthMask(s)));

    /// <summary>Moves the stack pointer by a number of bytes.</summary>
    public static void Move(CpuState* s, long bytes) => Set(s, s->R[Registers.Rsp] + (ulong)bytes);

    /// <summary>Sets as much of RSP as the stack is wide.</summary>
    public static void Set(CpuState* s, ulong value)
    {
        ulong mask = WidthMask(s);
        s->R[Registers.Rsp] = mask == 0xFFFF ? (s->R[Registers.Rsp] & ~mask) | (value & mask) : value & mask;
    }

    /// <summary>
    /// Ends an operation whose access to the stack faulted: an address that is not canonical is #SS there, not #GP
    /// (Intel SDM vol. 3A §6.15, interrupt 12).
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Op* Fault(CpuState* s)
    {
        if (s->FaultVector == Vector.GeneralProtection)
        {
            s->FaultVector = Vector.StackFault;
        }

        return null;
    }

    private static ulong WidthMask(CpuState* s) =>
        s->In64BitCode ? ulong.MaxValue : (s->Segments.Ss.Attributes & Segment.Big) != 0 ? 0xFFFFFFFF : 0xFFFF;
}
