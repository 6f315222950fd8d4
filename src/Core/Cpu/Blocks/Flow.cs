using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Blocks;

/// <summary>How handlers go on: to the next operation, to another block, or out to the run loop.</summary>
/// <remarks>
/// The JIT turns a call in return position into a jump, so a chain of handlers uses no stack. That needs optimised code:
/// every handler that calls <see cref="Next"/> or <see cref="GoTo"/> carries <c>AggressiveOptimization</c>, is not marked
/// <c>NoInlining</c>, and gives nobody the address of a local variable. A test reads the machine code of all of them.
/// Where the JIT takes no such jump at all, <see cref="TailCalls"/> has each handler return after its operation.
/// </remarks>
internal static unsafe class Flow
{
    /// <summary>What every handler is marked with: full optimisation from the first call.</summary>
    public const MethodImplOptions Hot = MethodImplOptions.AggressiveOptimization;

    /// <summary>Executes the operation after this one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Op* Next(CpuState* s, Op* op)
    {
        op++;
        return op->Handler(s, op);
    }

    /// <summary>Executes the block that begins with <paramref name="target"/> if the budget allows all of it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Op* GoTo(CpuState* s, Op* target)
    {
        long left = s->Left - target->Remaining;
        if (left < 0)
        {
            return Leave(s, Op.BlockOf(target)->Ip);
        }

        s->Left = left;
        return target->Handler(s, target);
    }

    /// <summary>Takes the direct branch of <paramref name="op"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Op* Branch(CpuState* s, Op* op)
    {
        Op* target = op->Link;
        return target != null ? GoTo(s, target) : s->Host.LeaveToLink(s, op);
    }

    /// <summary>Takes a branch to an address that only the run decides.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Op* Indirect(CpuState* s, ulong target)
    {
        JumpCacheEntry* entry = s->Host.JumpCache + JumpCache.IndexOf(target);
        return entry->Rip == target ? GoTo(s, entry->Target) : Leave(s, target);
    }

    /// <summary>Stands in for the operation after one that is executed alone: hands itself to whoever executes that.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Pause(CpuState* s, Op* op) => op;

    /// <summary>Ends the block: the run loop continues at <paramref name="rip"/>.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Op* Leave(CpuState* s, ulong rip)
    {
        s->Rip = rip;
        return null;
    }

    /// <summary>Ends the block at a direct branch that has no link yet.</summary>
    /// <remarks>
    /// Called through <see cref="HostLinks.LeaveToLink"/>, which keeps it out of every branch's code. Marked <c>NoInlining</c> it would
    /// go on by a call, and take stack at each branch.
    /// </remarks>
    [MethodImpl(Hot)]
    public static Op* LeaveToLink(CpuState* s, Op* op)
    {
        ulong target = (ulong)op->Immediate;
        JumpCacheEntry* entry = s->Host.JumpCache + JumpCache.IndexOf(target);

        // The page of the block counts: the operation that falls through at a page's end has its address in the next page,
        // and a link to there would outlive the code of that page.
        if (entry->Rip == target && (target ^ Op.BlockOf(op)->Ip) >> 12 != 0)
        {
            return GoTo(s, entry->Target);
        }

        s->Host.LinkFrom = op;
        s->Rip = target;
        return null;
    }

    /// <summary>Ends the block before <paramref name="op"/>: neither it nor what follows has been executed.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Op* StopBefore(CpuState* s, Op* op)
    {
        s->Rip = Op.IpOf(op);
        s->Left += op->Remaining;
        return null;
    }

    /// <summary>Ends the block after <paramref name="op"/>, so that the run loop looks at the world before the next instruction.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Op* StopAfter(CpuState* s, Op* op)
    {
        s->Rip = Op.NextIpOf(op);
        s->Left += op->Remaining - 1;
        return null;
    }

    /// <summary>Ends the block with a fault raised by <paramref name="op"/>, which retires nothing.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Op* Fault(CpuState* s, Op* op, byte vector, uint errorCode = 0)
    {
        s->FaultVector = vector;
        s->FaultErrorCode = errorCode;
        return StopBefore(s, op);
    }

    /// <summary>Retired instructions just before <paramref name="op"/>, while its block runs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long RetiredBefore(CpuState* s, Op* op) => s->Deadline - (s->Left + op->Remaining);
}
