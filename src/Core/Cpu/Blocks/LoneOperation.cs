using System.Runtime.InteropServices;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Blocks;

/// <summary>
/// A block to execute one operation apart from those that follow: a copy, so that nothing of the code cache changes and an engine may keep
/// its blocks in whatever form it wants.
/// </summary>
/// <remarks>
/// What stands behind the operation is there as well: a compare that goes on as the jump behind it takes that one's target, or goes on
/// behind it.
/// </remarks>
internal sealed unsafe class LoneOperation : IDisposable
{
    private const int Most = 3;

    private Block* _block = (Block*)NativeMemory.AlignedAlloc((nuint)(sizeof(Block) + (Most * sizeof(Op)) + TailCalls.TableBytes(Most)), 64);

    ~LoneOperation() => Free();

    /// <summary>Executes one operation; returns what its handler does, with the block's own operations in place of the copies.</summary>
    public Op* Execute(CpuState* s, Op* op)
    {
        Op* copy = Copy(op);
        Op* next = TailCalls.HandlerOf(copy)(s, copy);
        s->Host.LinkFrom = Original(s->Host.LinkFrom, copy, op);
        return Original(next, copy, op);
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private static Op* Original(Op* found, Op* copy, Op* op) => found >= copy && found < copy + Most ? op + (found - copy) : found;

    private Op* Copy(Op* op)
    {
        Block* block = Op.BlockOf(op);
        *_block = *block;
        _block->Operations = Math.Min(Most, block->Operations - op->Number);
        Op* copy = Block.First(_block);
        for (int i = 0; i < _block->Operations; i++)
        {
            copy[i] = op[i];
            copy[i].Number = (byte)i;
            copy[i].Handler = i == 1 ? &Flow.Pause : TailCalls.HandlerOf(op + i);
        }

        if (!TailCalls.AreTaken)
        {
            TailCalls.Hide(_block);
        }

        return copy;
    }

    private void Free()
    {
        NativeMemory.AlignedFree(_block);
        _block = null;
    }
}
