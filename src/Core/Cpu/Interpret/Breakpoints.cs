using KprobeTrace.Cpu.Decode;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>The operation that stands where the fetch overlay has a breakpoint.</summary>
internal static unsafe class Breakpoints
{
    /// <summary>Ends the block before the armed instruction and leaves the rest to the run loop.</summary>
    public static Op* Overlay(CpuState* s, Op* op)
    {
        Processor.Of(s).StopAtBreakpoint(op);
        return Flow.StopBefore(s, op);
    }
}
