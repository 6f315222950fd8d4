using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.Decode;
using KprobeTrace.Cpu.Interpret;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Binding;

/// <summary>The interpreter's blocks: an operation for each instruction, whose handler <see cref="OpBinder"/> chooses.</summary>
internal sealed unsafe class BlockBuilder : IBlockBuilder
{
    /// <inheritdoc/>
    public void Build(InstructionRun run, IExecutionCounts? counts, Block* into)
    {
        Emit(run, counts, into);
        Finish(into);
    }

    /// <inheritdoc/>
    public void BuildBreakpoint(int handle, Block* into)
    {
        Op* op = Block.First(into);
        *op = default;
        op->Handler = &Breakpoints.Overlay;
        op->Immediate = handle;
        op->Remaining = 1;
        into->Count = 1;
        into->Operations = 1;
        Finish(into);
    }

    private static void Finish(Block* block)
    {
        if (!TailCalls.AreTaken)
        {
            TailCalls.Hide(block);
        }
    }

    private static void Emit(InstructionRun run, IExecutionCounts? counts, Block* into)
    {
        Op* op = Block.First(into);
        BindResult result = BindResult.Continue;
        int last = run.Count - 1;
        for (int n = 0; n <= last; n++)
        {
            op = Count(run, counts, op, into, n);
            op = Guard(run, op, into, n);
            Start(run, op, into, n);
            if (counts == null && n + 1 == last && OpBinder.TryFuse(run.Instructions[n], run.Instructions[n + 1], run.RowOf(n + 1), op, run.Mode))
            {
                op++;
                n++;
                Start(run, op, into, n);
            }

            result = run.EndsTooLong && n == last ? OpBinder.BindTooLong(op) : OpBinder.Bind(run.Instructions[n], run.RowOf(n), op, run.Mode, run.FlagsDead[n]);
            op->Immediate |= (long)run.X87Opcodes[n] << X87.OpcodeShift;
            if (run.EndsInWideCall && n == last)
            {
                // AMD's processors take no pointer with an offset of 64 bits, but push what REX.W asks for.
                op->Destination = sizeof(ulong);
            }

            op++;
        }

        if (result != BindResult.End)
        {
            *op = default;
            op->Number = (byte)(op - Block.First(into));
            op->IpOffset = (ushort)(run.End - into->Ip);
            op->Immediate = (long)run.End;
            op->Handler = run.IsCut ? &Branches.EndOfPartialBlock : &Branches.FallThrough;
            op++;
        }

        into->Count = run.Count;
        into->Operations = (int)(op - Block.First(into));
    }

    /// <summary>Emits the operation that counts executions of instruction <paramref name="n"/>, where that is wanted.</summary>
    private static Op* Count(InstructionRun run, IExecutionCounts? counts, Op* op, Block* block, int n)
    {
        ulong offset = run.Instructions[n].IP - block->Ip;
        long* counter = counts == null ? null : counts.Find(block->Physical + offset, block->Ip + offset);
        if (counter == null)
        {
            return op;
        }

        Start(run, op, block, n);
        op->Link = (Op*)counter;
        op->Handler = &Breakpoints.Count;
        return op + 1;
    }

    /// <summary>Emits the operation that guards instruction <paramref name="n"/>, where it has one.</summary>
    private static Op* Guard(InstructionRun run, Op* op, Block* block, int n)
    {
        delegate*<CpuState*, Op*, Op*> guard = OpBinder.GuardOf(run.Instructions[n], run.RowOf(n), run.Mode);
        if (guard == null)
        {
            return op;
        }

        Start(run, op, block, n);
        op->Handler = guard;
        return op + 1;
    }

    private static void Start(InstructionRun run, Op* op, Block* block, int n)
    {
        *op = default;
        op->Number = (byte)(op - Block.First(block));
        op->IpOffset = (ushort)(run.Instructions[n].IP - block->Ip);
        op->Length = (byte)run.Instructions[n].Length;
        op->Remaining = (byte)(run.Count - n);
    }
}
