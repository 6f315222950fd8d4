using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace KprobeTrace.Cpu.State;

/// <summary>What debug builds hold every operation to that is executed on the bounce buffer, which stands for one operand.</summary>
internal static unsafe class BounceChecks
{
    /// <summary>Notes an access to guest memory.</summary>
    [Conditional("DEBUG")]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Count(CpuState* s)
    {
#if DEBUG
        s->Host.Accesses++;
#endif
    }

    /// <summary>An operation is about to be executed on the buffer.</summary>
    [Conditional("DEBUG")]
    public static void Begin(CpuState* s)
    {
#if DEBUG
        s->Host.Accesses = 0;
        s->Host.OnBounce = 1;
#endif
    }

    /// <summary>It has been: it must have gone to memory once.</summary>
    [Conditional("DEBUG")]
    public static void End(CpuState* s, Op* op)
    {
#if DEBUG
        s->Host.OnBounce = 0;
        Debug.Assert(s->Host.Accesses == 1, $"the operation at {Op.IpOf(op):x} went to memory {s->Host.Accesses} times on the bounce buffer, which stands for one operand");
#endif
    }

    /// <summary>A slow path begins, which may overwrite the buffer.</summary>
    [Conditional("DEBUG")]
    public static void IsFree(CpuState* s)
    {
#if DEBUG
        Debug.Assert(s->Host.OnBounce == 0, "an operation on the bounce buffer took a slow path to memory");
#endif
    }
}
