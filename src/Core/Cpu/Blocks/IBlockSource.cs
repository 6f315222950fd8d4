using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Blocks;

/// <summary>Who makes blocks of guest code.</summary>
internal unsafe interface IBlockSource
{
    /// <summary>Makes the block that begins at an address; false with a fetch fault pending.</summary>
    /// <param name="rip">Linear address of its first instruction.</param>
    /// <param name="physical">Physical address of its first instruction.</param>
    /// <param name="mode">The mode to decode for, see <see cref="BlockMode"/>.</param>
    /// <param name="limit">Instructions at most.</param>
    /// <param name="overlay">Whether breakpoints of the fetch overlay count.</param>
    /// <param name="into">Room for <see cref="Block.MaxOperations"/> operations.</param>
    public bool Decode(ulong rip, ulong physical, int mode, int limit, bool overlay, Block* into);
}
