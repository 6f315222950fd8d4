using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>Operations that stand before an instruction: breakpoints of the fetch overlay, and execution counts.</summary>
internal static unsafe class Breakpoints
{
    /// <summary>Ends the block before the armed instruction and leaves the rest to the run loop.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Overlay(CpuState* s, Op* op)
    {
        Processor.Of(s).StopAtBreakpoint(op);
        return Flow.StopBefore(s, op);
    }

    /// <summary>Counts an execution of the instruction that follows; retires nothing.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Count(CpuState* s, Op* op)
    {
        (*(long*)op->Link)++;
        return Flow.Next(s, op);
    }
}
