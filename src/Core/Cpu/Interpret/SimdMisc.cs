using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>Instructions that came with SSE but touch no SSE state.</summary>
internal static unsafe class SimdMisc
{
    /// <summary>MOVNTI: an ordinary store, since caches are not modelled.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* StoreGeneral<T>(CpuState* s, Op* op)
        where T : unmanaged =>
        MemoryAccess.Store<T>(s, op, AnyAddress.Of(s, op), Registers.Read<T>(s, op->Source));
}
