using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Decode;

/// <summary>An engine: makes blocks of decoded instructions.</summary>
internal unsafe interface IBlockBuilder
{
    /// <summary>Makes the block of a run.</summary>
    /// <param name="run">The instructions.</param>
    /// <param name="counts">Which of them are counted, or null.</param>
    /// <param name="into">The block, whose addresses and mode are filled in.</param>
    public void Build(InstructionRun run, IExecutionCounts? counts, Block* into);

    /// <summary>Makes the block that stands for an instruction under a breakpoint of the fetch overlay.</summary>
    /// <param name="handle">The breakpoint.</param>
    /// <param name="into">The block, whose addresses and mode are filled in.</param>
    public void BuildBreakpoint(int handle, Block* into);
}
