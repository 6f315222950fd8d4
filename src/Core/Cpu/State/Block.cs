using System.Runtime.InteropServices;

namespace KprobeTrace.Cpu.State;

/// <summary>Header of a run of decoded operations; the operations follow it in memory.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct Block
{
    /// <summary>Instructions a block holds at most.</summary>
    public const int MaxInstructions = 64;

    /// <summary>Operations of a block at most: what counts, what guards and the instruction itself, and what ends it.</summary>
    public const int MaxOperations = (3 * MaxInstructions) + 2;

    /// <summary>Linear address of the first instruction.</summary>
    public ulong Ip;

    /// <summary>Physical address of the first instruction.</summary>
    public ulong Physical;

    /// <summary>Next block with the same hash.</summary>
    public Block* NextInBucket;

    /// <summary>Next block decoded from the same physical page.</summary>
    public Block* NextInPage;

    /// <summary>Physical page of the last instruction's tail when the block crosses into it, else all ones.</summary>
    public ulong SecondPage;

    /// <summary>Instructions in the block.</summary>
    public int Count;

    /// <summary>Operations in the block, more or fewer than its instructions.</summary>
    public int Operations;

    /// <summary>Mode it was decoded for, see <see cref="BlockMode"/>.</summary>
    public int Mode;

    /// <summary>First operation.</summary>
    public static Op* First(Block* block) => (Op*)(block + 1);
}
