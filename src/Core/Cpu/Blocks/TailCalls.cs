using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Blocks;

/// <summary>Whether handlers go on by a jump, as optimised code does, or by a call, which would use up the stack.</summary>
/// <remarks>
/// The runtime's compiler decides that, and what it does can be forced from outside: a debugger that suppresses optimisation,
/// a profiler, <c>DOTNET_JITMinOpts=1</c>. So it is measured, once a process: a few operations run in a row, and the last one
/// looks how deep the stack is. Where handlers call, blocks are laid out so that every handler comes back to the run loop
/// after its operation: see <see cref="Hide"/>.
/// </remarks>
internal static unsafe class TailCalls
{
    private const int Links = 16;

    /// <summary>Whether a chain of handlers takes no stack.</summary>
    public static readonly bool AreTaken = Measure();

    /// <summary>Bytes after a block's operations that <see cref="Hide"/> wants.</summary>
    public static int TableBytes(int operations) => AreTaken ? 0 : operations * sizeof(nint);

    /// <summary>
    /// Moves the handlers of a block to a table behind its operations and leaves <see cref="Flow.Pause"/> in their places, so that
    /// whoever goes on to an operation gets it handed back.
    /// </summary>
    public static void Hide(Block* block)
    {
        nint* table = Table(block);
        for (int i = 0; i < block->Operations; i++)
        {
            Op* op = Block.First(block) + i;
            table[i] = (nint)op->Handler;
            op->Handler = &Flow.Pause;
        }
    }

    /// <summary>The handler of an operation, wherever it is kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static delegate*<CpuState*, Op*, Op*> HandlerOf(Op* op) =>
        AreTaken ? op->Handler : (delegate*<CpuState*, Op*, Op*>)Table(Op.BlockOf(op))[op->Number];

    private static nint* Table(Block* block) => (nint*)(Block.First(block) + block->Operations);

    private static bool Measure()
    {
        // What goes on to its neighbour, to a linked block, and by the jump cache, in turn.
        Op* ops = (Op*)NativeMemory.AllocZeroed((nuint)(sizeof(Block) + ((Links + 1) * sizeof(Op))));
        CpuState* s = (CpuState*)NativeMemory.AllocZeroed((nuint)sizeof(CpuState));
        using JumpCache cache = new();
        try
        {
            Block* block = (Block*)ops;
            Op* first = Block.First(block);
            s->Left = Links;
            s->Host.JumpCache = cache.Table(user: false);
            s->Host.LeaveToLink = &Flow.LeaveToLink;
            for (int i = 0; i < Links; i++)
            {
                first[i].Number = (byte)i;
                first[i].Handler = &ToNeighbour;
            }

            Op* end = first + Links;
            end->Number = Links;
            end->Handler = &Depth;
            Op* linked = first + 4;
            linked->Handler = &ToTarget;
            linked->Link = linked + 1;
            Op* looked = first + 9;
            looked->Handler = &ToTarget;
            looked->Immediate = 0x1000;
            JumpCacheEntry* entry = s->Host.JumpCache + JumpCache.IndexOf(0x1000);
            entry->Rip = 0x1000;
            entry->Target = looked + 1;
            return Start(s, first) == Start(s, end);
        }
        finally
        {
            NativeMemory.Free(s);
            NativeMemory.Free(ops);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint Start(CpuState* s, Op* op)
    {
        nint depth = (nint)op->Handler(s, op);
        return depth;
    }

    [MethodImpl(Flow.Hot)]
    private static Op* ToNeighbour(CpuState* s, Op* op) => Flow.Next(s, op);

    [MethodImpl(Flow.Hot)]
    private static Op* ToTarget(CpuState* s, Op* op) => Flow.Branch(s, op);

    /// <summary>Ends the chain with the address of a local variable.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Op* Depth(CpuState* s, Op* op)
    {
        nint here = (nint)op;
        return (Op*)Escape(&here);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint* Escape(nint* local) => local;
}
