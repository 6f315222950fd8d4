using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu;

/// <content>Debug registers: instruction, data and port breakpoints, and the single-step trap (Intel SDM vol. 3B §18.2, §18.3).</content>
/// <remarks>
/// While any breakpoint is enabled the processor runs one instruction at a time. Pages with data breakpoints never enter the
/// TLB, so that every access to them takes the slow path and is compared here. What matched waits in
/// <see cref="CpuState.PendingDebug"/> until the instruction has completed.
/// </remarks>
internal sealed unsafe partial class Processor
{
    private const ulong DebugSingleStep = 1 << 14;
    internal const ulong DebugGeneralDetect = 1 << 13;
    private const ulong DebugMatches = 15;
    private const int Breakpoints = 4;

    private bool _trapFlagDecided;
    private bool _watchesData;

    /// <summary>Whether a data breakpoint may match the next access, so that repeated instructions must go element by element.</summary>
    internal bool WatchesData => _watchesData;

    /// <summary>Recomputes what is derived from DR0 to DR3 and DR7; call after changing any of them.</summary>
    internal void UpdateBreakpoints()
    {
        _watchesData = false;
        for (int i = 0; i < Breakpoints; i++)
        {
            _watchesData |= IsEnabled(i) && TypeOf(i) is 1 or 3;
        }

        _tlb.FlushAll();
    }

    /// <summary>Notes a port access that a breakpoint may be set on (type 2, with CR4.DE).</summary>
    internal void NotePortAccess(ushort port, int size)
    {
        if ((State->Dr[7] & 0xFF) == 0 || (State->Cr4 & Cr4.DE) == 0)
        {
            return;
        }

        for (int i = 0; i < Breakpoints; i++)
        {
            if (IsEnabled(i) && TypeOf(i) == 2 && Overlaps(i, port, size))
            {
                Match(i);
            }
        }
    }

    private void NoteDataAccess(ulong address, int size, bool write)
    {
        if (!_watchesData)
        {
            return;
        }

        for (int i = 0; i < Breakpoints; i++)
        {
            if (IsEnabled(i) && (TypeOf(i) == 3 || (TypeOf(i) == 1 && write)) && Overlaps(i, address, size))
            {
                Match(i);
            }
        }
    }

    private void Match(int breakpoint)
    {
        State->PendingDebug |= 1UL << breakpoint;
        State->ExitRequest = 1;
    }

    /// <summary>Whether a data breakpoint lies in the page of an address.</summary>
    private bool IsWatched(ulong address)
    {
        for (int i = 0; i < Breakpoints; i++)
        {
            if (IsEnabled(i) && TypeOf(i) is 1 or 3 && (State->Dr[i] ^ address) >> 12 == 0)
            {
                return true;
            }
        }

        return false;
    }

    private bool IsEnabled(int breakpoint) => ((State->Dr[7] >> (2 * breakpoint)) & 3) != 0;

    private int TypeOf(int breakpoint) => (int)(State->Dr[7] >> (16 + (4 * breakpoint))) & 3;

    /// <summary>Whether an access touches a breakpoint's bytes; a length ignores the address bits below it.</summary>
    private bool Overlaps(int breakpoint, ulong address, int size)
    {
        ulong length = ((State->Dr[7] >> (18 + (4 * breakpoint))) & 3) switch { 0 => 1, 1 => 2, 2 => 8, _ => 4 };
        ulong start = State->Dr[breakpoint] & ~(length - 1);
        return address < start + length && start < address + (ulong)size;
    }

    private bool NeedsSingleSteps() =>
        (State->SystemFlags & Rflags.TF) != 0 || (State->Dr[7] & 0xFF) != 0;

    private bool InstructionBreakpointHits()
    {
        CpuState* s = State;
        if ((s->Dr[7] & 0xFF) == 0 || (s->SystemFlags & Rflags.RF) != 0)
        {
            return false;
        }

        ulong matches = 0;
        for (int i = 0; i < Breakpoints; i++)
        {
            if (IsEnabled(i) && TypeOf(i) == 0 && s->Dr[i] == s->Rip)
            {
                matches |= 1UL << i;
            }
        }

        if (matches == 0)
        {
            return false;
        }

        RecordDebugConditions(matches | State->HeldDebug);
        State->HeldDebug = 0;
        return true;
    }

    /// <summary>
    /// Sets DR6 for a debug exception: B0 to B3 become what was met this time (AMD APM vol. 2 §13.1.1.3), the other bits stay
    /// until software clears them.
    /// </summary>
    internal void RecordDebugConditions(ulong conditions) =>
        State->Dr[6] = (State->Dr[6] & ~DebugMatches) | conditions;

    /// <summary>
    /// After one instruction: keeps what MOV SS has touched for after the instruction behind it, where it joins what that one did.
    /// </summary>
    private void HoldOrJoinDebug(bool hold)
    {
        if (hold)
        {
            State->HeldDebug |= State->PendingDebug;
            State->PendingDebug = 0;
        }
        else
        {
            State->PendingDebug |= State->HeldDebug;
            State->HeldDebug = 0;
        }
    }

    /// <summary>INT1 raises the debug exception that a MOV SS before it has been waiting for: one exception tells of both.</summary>
    private void JoinHeldDebug()
    {
        if (State->HeldDebug != 0)
        {
            RecordDebugConditions(State->HeldDebug);
            State->HeldDebug = 0;
        }
    }

    /// <summary>Delivers #DB for what an instruction did, after it.</summary>
    private void DeliverDebugTrap()
    {
        RecordDebugConditions(State->PendingDebug);
        State->PendingDebug = 0;
        State->FaultVector = Vector.Debug;
        State->FaultErrorCode = 0;
        DeliverFault();
    }

    /// <summary>SYSCALL and SYSRET trap by the flags they leave, not by those they found.</summary>
    private void DecideTrapByNewFlags()
    {
        _trapFlagDecided = true;
        if ((State->SystemFlags & Rflags.TF) != 0)
        {
            State->PendingDebug |= DebugSingleStep;
        }
    }
}
