using System.Runtime.InteropServices;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Blocks;

/// <summary>
/// A block of one operation, to execute it apart from those that follow: a copy, so that nothing of the code cache changes and an engine
/// may keep its blocks in whatever form it wants.
/// </summary>
internal sealed unsafe class LoneOperation : IDisposable
{
    // The operation, and what hands itself back to whoever executes it.
    private const int Operations = 2;

    private Block* _block = (Block*)NativeMemory.AlignedAlloc((nuint)(sizeof(Block) + (Operations * sizeof(Op)) + TailCalls.TableBytes(Operations)), 64);

    ~LoneOperation() => Free();

    /// <summary>Executes one operation; returns what its handler does, with the operation behind it in place of the copy's.</summary>
    public Op* Execute(CpuState* s, Op* op)
    {
        Op* copy = Copy(op);
        Op* next = TailCalls.HandlerOf(copy)(s, copy);
        if (s->Host.LinkFrom == copy)
        {
            s->Host.LinkFrom = op;
        }

        return next == copy + 1 ? op + 1 : next;
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private Op* Copy(Op* op)
    {
        *_block = *Op.BlockOf(op);
        _block->Operations = Operations;
        Op* copy = Block.First(_block);
        *copy = *op;
        copy->Handler = TailCalls.HandlerOf(op);
        copy->Number = 0;
        copy[1] = new Op { Handler = &Flow.Pause, Number = 1 };
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
