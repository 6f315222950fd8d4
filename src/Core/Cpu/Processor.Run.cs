using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu;

/// <content>The run loop: budgets, interrupts, block look-up, breakpoints, faults.</content>
internal sealed unsafe partial class Processor
{
    /// <summary>
    /// Instructions between two looks at <see cref="StopRequested"/> when nothing else intervenes: a tenth of a second even
    /// when every one of them takes the host a microsecond.
    /// </summary>
    private const long Quantum = 1 << 16;

    /// <summary>Instructions between two looks for handlers that have been compiled since their blocks were decoded.</summary>
    private const long HandlerLookInterval = 1_000_000;

    private bool _stopRequested;
    private bool _deadlineIsSoft;
    private long _nextHandlerLook;
    private int _mode;
    private int _breakpoint = -1;
    private Op* _breakpointOp;

    /// <summary>Set from any thread to make <see cref="Run"/> return at the next instruction boundary.</summary>
    public bool StopRequested
    {
        get => Volatile.Read(ref _stopRequested);
        set => Volatile.Write(ref _stopRequested, value);
    }

    /// <summary>Set when the processor met a fault it could not deliver (triple fault) and shut down.</summary>
    public bool ShutDown => State->ShutDown != 0;

    /// <summary>Set when the processor waits in HLT and nothing can ever wake it.</summary>
    public bool HaltedForGood => State->HaltedForGood != 0;

    /// <summary>Makes the processor take a non-maskable interrupt before its next instruction.</summary>
    public void RequestNmi()
    {
        State->NmiPending = 1;
        State->ExitRequest = 1;
    }

    /// <summary>Runs until <paramref name="limit"/> instructions have retired in all, a stop is requested, or the processor stops for good.</summary>
    /// <exception cref="InvalidOperationException">It runs already: this was called from a handler, or from another thread.</exception>
    /// <exception cref="KprobeTraceException">The guest asked for what is not built.</exception>
    public void Run(long limit = long.MaxValue)
    {
        using RunGuard guard = Enter();
        try
        {
            RunLoop(limit);
        }
        catch
        {
            StandBeforeCurrent();
            throw;
        }
    }

    private void RunLoop(long limit)
    {
        CpuState* s = State;
        while (!StopRequested && !ShutDown && Retired < limit && MakesProgress())
        {
            s->ExitRequest = 0;
            RefuseLegacyPaging();
            if (Now >= _bus.NextEvent)
            {
                _bus.RunEvents();
            }

            if (State->PendingDebug != 0)
            {
                DeliverDebugTrap();
                continue;
            }

            if (s->InterruptShadow != 0)
            {
                StepInShadow();
                continue;
            }

            if (s->NmiPending != 0 && s->NmiBlocked == 0)
            {
                s->NmiPending = 0;
                s->NmiBlocked = 1;
                DeliverInterrupt(Vector.Nmi);
                continue;
            }

            if (s->InterruptPending != 0 && (s->SystemFlags & Rflags.IF) != 0)
            {
                int vector = _bus.AcknowledgeInterrupt();
                if (vector >= 0)
                {
                    DeliverInterrupt(vector);
                    continue;
                }
            }

            if (s->Halted != 0)
            {
                if (!SkipToNextEvent())
                {
                    s->HaltedForGood = 1;
                    return;
                }

                continue;
            }

            if (NeedsSingleSteps())
            {
                Step();
                continue;
            }

            // RF lasts for one instruction, and only single steps would look at it.
            s->SystemFlags &= ~(ulong)Rflags.RF;
            if (Retired >= _nextHandlerLook)
            {
                _nextHandlerLook = Retired + HandlerLookInterval;
                _group.Code.ResolveHandlers();
            }

            long hard = Math.Min(_bus.NextEvent - s->IdleTime, limit);
            long soft = Retired + Quantum;
            SetBudget(Math.Min(hard, soft));
            _deadlineIsSoft = soft < hard;
            Execute();
        }
    }

    /// <summary>Executes exactly one instruction at RIP, breakpoints included, and delivers what it raises.</summary>
    /// <exception cref="InvalidOperationException">The guest runs already: this was called from a handler, or from another thread.</exception>
    /// <exception cref="KprobeTraceException">The guest asked for what is not built.</exception>
    public void SingleStep()
    {
        using RunGuard guard = Enter();
        RefuseLegacyPaging();
        try
        {
            Step();
        }
        catch
        {
            StandBeforeCurrent();
            throw;
        }
    }

    private void Step()
    {
        CpuState* s = State;
        bool trap = (s->SystemFlags & Rflags.TF) != 0;
        if (InstructionBreakpointHits())
        {
            s->FaultVector = Vector.Debug;
            DeliverFault();
            return;
        }

        s->SystemFlags &= ~(ulong)Rflags.RF;
        ulong at = s->Rip;
        long before = Retired;
        int deliveries = _deliveries;
        SetBudget(before + 1);
        s->ExitRequest = 0;
        _trapFlagDecided = false;
        Execute();
        if (Retired == before && _deliveries == deliveries)
        {
            if (s->Rip == at)
            {
                // A REP between two elements: a breakpoint on it has been met already (Intel SDM vol. 3B §18.3.1.1).
                s->SystemFlags |= Rflags.RF;
            }

            if (State->PendingDebug == 0)
            {
                // The host has stopped it: the instruction is not over.
                return;
            }
        }

        bool held = s->InterruptShadow == CpuState.StackSegmentShadow;
        if (trap && Retired != before && !_trapFlagDecided && !held)
        {
            State->PendingDebug |= DebugSingleStep;
        }

        HoldOrJoinDebug(held);
        if (State->PendingDebug != 0)
        {
            DeliverDebugTrap();
        }
    }

    /// <summary>Executes the instruction after STI or MOV SS; the shadow stays while nothing has come of it (a stop in a REP).</summary>
    private void StepInShadow()
    {
        CpuState* s = State;
        int shadow = s->InterruptShadow;
        long before = Retired;
        int deliveries = _deliveries;
        s->InterruptShadow = 0;
        Step();
        if (Retired == before && _deliveries == deliveries)
        {
            s->InterruptShadow = shadow;
        }
    }

    private void SetBudget(long until)
    {
        long retired = State->Retired;
        State->Deadline = until;
        State->Left = until - retired;
        _deadlineIsSoft = false;
    }

    /// <summary>Lets HLT skip idle time; false when nothing can wake the processor: no event is set, or interrupts are off.</summary>
    private bool SkipToNextEvent()
    {
        long next = _bus.NextEvent;
        if (next == long.MaxValue || (State->SystemFlags & Rflags.IF) == 0)
        {
            return false;
        }

        State->IdleTime += Math.Max(0, next - Now);
        return true;
    }

    /// <summary>Runs blocks until the budget is spent, something asks for attention, or an exception was delivered.</summary>
    private void Execute()
    {
        CpuState* s = State;
        do
        {
            Op* first = LookUp();
            if (first == null)
            {
                DeliverFault();
                return;
            }

            if (first->Remaining > s->Left)
            {
                if (s->Left <= 0 || _deadlineIsSoft)
                {
                    return;
                }

                Block* partial = TryTranslateFetch(s->Rip, out ulong physical)
                    ? _blocks.DecodePartial(s->Rip, physical, _mode, (int)s->Left, overlay: true)
                    : null;
                if (partial == null)
                {
                    DeliverFault();
                    return;
                }

                first = Block.First(partial);
            }

            s->Left -= first->Remaining;
            Dispatch(first);
            if (_breakpoint >= 0)
            {
                HandleBreakpoint();
            }

            if (s->FaultVector != Vector.None || s->FaultIsSoftware != 0)
            {
                DeliverFault();
                return;
            }
        }
        while (s->ExitRequest == 0 && s->Left > 0 && !StopRequested);
    }

    private void Dispatch(Op* op)
    {
        CpuState* s = State;
        do
        {
            op = TailCalls.HandlerOf(op)(s, op);
        }
        while (op != null && s->ExitRequest == 0 && !StopRequested);

        if (op != null)
        {
            Flow.StopBefore(s, op);
        }
    }

    /// <summary>Executes a block of one instruction to its end, whatever asks for attention meanwhile: what follows a step must not be told of half of one.</summary>
    private void DispatchOne(Op* op)
    {
        do
        {
            op = TailCalls.HandlerOf(op)(State, op);
        }
        while (op != null && op->Remaining != 0);

        if (op != null)
        {
            Flow.StopBefore(State, op);
        }
    }

    /// <summary>Finds or decodes the block at RIP; null with a fault pending.</summary>
    private Op* LookUp()
    {
        CpuState* s = State;
        ulong rip = s->Rip;
        JumpCacheEntry* entry = s->Host.JumpCache + JumpCache.IndexOf(rip);
        Op* first;
        if (entry->Rip == rip)
        {
            first = entry->Target;
        }
        else
        {
            Block* block = TryTranslateFetch(rip, out ulong physical) ? _blocks.Find(rip, physical, _mode) : null;
            if (block == null)
            {
                return null;
            }

            first = Block.First(block);
            if (_blocks.Keeps(block))
            {
                entry->Rip = rip;
                entry->Target = first;
            }
            else
            {
                s->Host.LinkFrom = null;
                return first;
            }
        }

        Op* from = s->Host.LinkFrom;
        if (from != null)
        {
            s->Host.LinkFrom = null;
            Block* left = Op.BlockOf(from);

            // Whoever runs the block follows its link, so it leads to what any page tables have there that have the block where it is. The
            // tables that led here may have changed since the branch.
            if ((left->Ip ^ rip) >> 12 == 0 && (left->Physical ^ Op.BlockOf(first)->Physical) >> 12 == 0 && (ulong)from->Immediate == rip)
            {
                from->Link = first;
            }
        }

        return first;
    }

    /// <summary>An overlay breakpoint stopped the block: asks the handler and does what it says.</summary>
    private void HandleBreakpoint()
    {
        CpuState* s = State;
        int handle = _breakpoint;
        Op* op = _breakpointOp;
        _breakpoint = -1;
        if (TryResumeRepeat(out bool notifies))
        {
            StepOriginal(op, handle, notifies);
            return;
        }

        int generation = _group.Code.Generation;
        BreakpointAction action = _group.BreakpointHandler?.OnBreakpoint(this, handle) ?? BreakpointAction.Step;
        if (_group.Code.Generation != generation)
        {
            op = null;
        }

        switch (action)
        {
            case BreakpointAction.Resume:
                return;
            case BreakpointAction.Deliver:
                s->Rip++;
                s->Left--;
                s->FaultVector = Vector.Breakpoint;
                s->FaultIsSoftware = 1;
                s->FaultFromOverlay = 1;
                s->FaultAddress = s->Rip - 1;
                return;
            default:
                StepOriginal(op, handle, notify: action == BreakpointAction.StepThenNotify);
                return;
        }
    }

    /// <summary>Executes the instruction under a breakpoint, whose operation keeps it decoded; null when that is gone.</summary>
    private void StepOriginal(Op* breakpoint, int handle, bool notify)
    {
        CpuState* s = State;
        Block* original = breakpoint == null || breakpoint->Link == null
            ? DecodeUnderBreakpoint(breakpoint)
            : Op.BlockOf(breakpoint->Link);
        ulong at = s->Rip;
        bool stopped = false;
        if (original != null)
        {
            long before = s->Retired;
            long deadline = s->Deadline;
            s->Deadline = before + 1;
            s->Left = 0;
            DispatchOne(Block.First(original));
            long retired = s->Deadline - s->Left;
            s->Deadline = deadline;
            s->Left = deadline - retired;
            stopped = retired == before && s->Rip == at;
        }

        // A trap is the instruction's completion, and the notice sees the handler's entry; a refused one has become a fault.
        bool trapped = s->FaultIsSoftware != 0 && TryDeliverSoftware();
        if (!trapped && s->FaultVector != Vector.None)
        {
            byte vector = s->FaultVector;
            uint error = s->FaultErrorCode;
            ulong address = s->FaultAddress;
            if (_group.BreakpointHandler!.OnStepFault(this, handle, vector, error, address))
            {
                ClearFault();
                State->PendingDebug = 0;
            }

            return;
        }

        if (stopped && !trapped)
        {
            NoteStoppedRepeat(notify);
        }
        else if (notify)
        {
            _group.BreakpointHandler!.OnStepped(this, handle);
        }
    }

    private Block* DecodeUnderBreakpoint(Op* breakpoint)
    {
        int generation = _group.Code.Generation;
        bool lasting = false;
        Block* original = TryTranslateFetch(State->Rip, out ulong physical) ? _blocks.DecodeSingle(State->Rip, physical, _mode, out lasting) : null;
        if (lasting && breakpoint != null && _group.Code.Generation == generation)
        {
            breakpoint->Link = Block.First(original);
        }

        return original;
    }

    /// <summary>Called by the breakpoint operation; the block has been stopped before it.</summary>
    internal void StopAtBreakpoint(Op* op)
    {
        _breakpoint = (int)op->Immediate;
        _breakpointOp = op;
    }

    /// <summary>Tells who listens of an instruction that raised #UD.</summary>
    internal void ReportUndefined(Op* op)
    {
        if (_group.UndefinedInstruction != null)
        {
            byte[] bytes = new byte[op->Length];
            ulong ip = Op.IpOf(op);
            _currentOp = op;
            for (int i = 0; i < bytes.Length; i++)
            {
                if (TryPeek(ip + (ulong)i, State->Cr3, out ulong physical))
                {
                    _memory.TryRead(physical, bytes.AsSpan(i, 1));
                }
            }

            _group.UndefinedInstruction(ip, bytes);
            _currentOp = null;
        }
    }
}
