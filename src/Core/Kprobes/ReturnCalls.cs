using System.Buffers.Binary;
using KprobeTrace.Cpu;

namespace KprobeTrace.Kprobes;

/// <summary>The calls that return probes wait for, kept by the stack they run on.</summary>
/// <remarks>
/// No return address is rewritten. An entry notes address, slot and task; the return fires when the address is executed
/// with the stack pointer just above the slot. Return sites stay armed once seen: arming and disarming them call by call
/// would throw decoded code away each time.
///
/// The guest's own return probes put the address of a trampoline on the stack, behind the back of an entry that noted the
/// real one. Nothing comes of it, since the trampoline returns to the real address with the stack pointer as it was. A
/// function that a tail call enters then finds the trampoline's address, and returns there.
/// </remarks>
internal sealed unsafe class ReturnCalls
{
    /// <summary>Kernel stacks are aligned to their size.</summary>
    private const int StackShift = 14;

    /// <summary>Calls that are waited for at once: a guest can make as many as it likes, each on a stack of its own.</summary>
    internal const int MaxOpen = 1 << 18;

    private const int FirstSweep = 1024;

    private readonly Dictionary<ulong, ReturnStack> _stacks = [];
    private readonly BreakpointMap _breakpoints;
    private readonly InstructionBoundary _boundary;
    private readonly IProbedGuest _guest;
    private readonly IKernelText _text;
    private ulong _lastKey = ulong.MaxValue;
    private ReturnStack? _lastStack;
    private int _sweepAt = FirstSweep;
    private int _open;

    public ReturnCalls(
        BreakpointMap breakpoints, InstructionBoundary boundary, IProbedGuest guest, IKernelText text)
    {
        _breakpoints = breakpoints;
        _boundary = boundary;
        _guest = guest;
        _text = text;
    }

    /// <summary>Stacks that calls were followed on; those without open calls are forgotten now and then.</summary>
    internal int StackCount => _stacks.Count;

    /// <summary>A probed function was entered; the frame's stack pointer is at the return address.</summary>
    public void Enter(Kretprobe probe, PtRegs* registers)
    {
        ulong slot = registers->Sp;
        if (!TryReadReturnAddress(slot, out ulong address, out Breakpoint? site))
        {
            probe.NoReturnAddress++;
            return;
        }

        ulong task = _guest.CurrentTask;
        DropDead(StackOf(slot), slot, address, task, site);
        if (_open >= MaxOpen)
        {
            probe.NMissed++;
            return;
        }

        KretprobeInstance call = probe.Take();
        call.RetAddr = address;
        call.Frame = slot;
        call.Task = task;
        int registration = probe.Registration;
        if (probe.EntryHandler is not null
            && (probe.EntryHandler(call, ref *registers) != 0 || !IsThere(probe, registration)))
        {
            probe.Give(call);
            return;
        }

        StackOf(slot).Push(call);
        probe.Open++;
        _open++;
        if (!site.IsReturnSite)
        {
            _breakpoints.SetReturnSite(site, true);
            _breakpoints.Synchronize();
        }
    }

    /// <summary>A return site was reached; fires what returns here, the oldest-registered probe first.</summary>
    public void Return(Breakpoint site, PtRegs* registers)
    {
        ReturnStack stack = StackOf(registers->Sp - 8);
        if (stack.Count == 0)
        {
            return;
        }

        ulong stackPointer = registers->Sp;
        int match = FindMatch(stack, site.Address, stackPointer);
        if (match < 0)
        {
            return;
        }

        ulong frame = stack[match].Frame;
        ulong address = registers->Ip;
        while (stack.Count > 0 && stack[stack.Count - 1].Frame <= frame)
        {
            KretprobeInstance call = stack[stack.Count - 1];
            if (call.Frame == frame && call.RetAddr != site.Address && site.IsTrampoline)
            {
                // A tail call that began with the trampoline on the stack; this one returns when the trampoline does.
                return;
            }

            stack.Pop();
            if (call.Frame < frame || call.RetAddr != site.Address)
            {
                Abandon(call);
                continue;
            }

            call.Probe.Open--;
            _open--;
            call.Probe.Returns++;
            registers->Ip = site.Address;
            call.Probe.Handler?.Invoke(call, ref *registers);
            registers->Ip = address;
            registers->Sp = stackPointer;
            call.Probe.Give(call);
        }
    }

    /// <summary>The calls that are waited for, stack by stack, the outermost of each first.</summary>
    public IEnumerable<KretprobeInstance> All() =>
        _stacks.OrderBy(static s => s.Key).SelectMany(static s => Enumerable.Range(0, s.Value.Count).Select(i => s.Value[i]));

    /// <summary>Waits for a call that was entered in a run before; those of a stack come in the order of <see cref="All"/>.</summary>
    public void GoOn(Kretprobe probe, in SavedCall saved)
    {
        KretprobeInstance call = probe.Take();
        call.RetAddr = saved.RetAddr;
        call.Frame = saved.Frame;
        call.Task = saved.Task;
        call.Token = saved.Token;
        StackOf(saved.Frame).Push(call);
        probe.Open++;
        _open++;
    }

    /// <summary>A task ended: none of its calls will return.</summary>
    public void DropTask(ulong task) => Drop(call => call.Task == task);

    /// <summary>A return probe is gone: its calls return unnoticed.</summary>
    public void DropProbe(Kretprobe probe)
    {
        Drop(call => call.Probe == probe);
        probe.Forget();
    }

    private void Drop(Predicate<KretprobeInstance> condition)
    {
        foreach (ReturnStack stack in _stacks.Values)
        {
            stack.RemoveAll(condition, Abandon);
        }
    }

    /// <summary>Drops the calls that an entry at a slot shows to be over: those below it, and one on it that is not shared by a jump.</summary>
    private void DropDead(ReturnStack stack, ulong slot, ulong address, ulong task, Breakpoint site)
    {
        while (stack.Count > 0)
        {
            KretprobeInstance last = stack[stack.Count - 1];
            bool shared = last.Frame == slot && last.Task == task && (last.RetAddr == address || site.IsTrampoline);
            if (last.Frame > slot || shared)
            {
                break;
            }

            Abandon(stack.Pop());
        }
    }

    /// <summary>Whether a probe is still the one that a call was entered under: its entry handler may have taken it out.</summary>
    private static bool IsThere(Kretprobe probe, int registration) =>
        probe.Kp.IsRegistered && (probe.Kp.Flags & KprobeStatus.Gone) == 0 && probe.Registration == registration;

    /// <summary>The innermost call that returns to an address with a stack pointer; -1 when none does.</summary>
    private int FindMatch(ReturnStack stack, ulong address, ulong stackPointer)
    {
        ulong task = _guest.CurrentTask;
        for (int i = stack.Count - 1; i >= 0; i--)
        {
            KretprobeInstance call = stack[i];
            ulong above = stackPointer - (call.Frame + 8);
            if ((long)above < 0)
            {
                return -1;
            }

            if (call.RetAddr == address && call.Task == task
                && (above == 0 || (above <= ushort.MaxValue
                    && Array.IndexOf(call.Probe.ReturnImmediates, (ushort)above) >= 0)))
            {
                return i;
            }
        }

        return -1;
    }

    private bool TryReadReturnAddress(ulong slot, out ulong address, out Breakpoint site)
    {
        address = 0;
        site = null!;
        Span<byte> word = stackalloc byte[8];
        if (!_guest.TryReadKernel(slot, word))
        {
            return false;
        }

        address = BinaryPrimitives.ReadUInt64LittleEndian(word);
        if (_breakpoints.TryFind(address, out Breakpoint? known) && known!.IsReturnSite)
        {
            site = known;
            return true;
        }

        bool trampoline = _text.IsReturnTrampoline(address);
        if (!trampoline && (_text.Classify(address) == KernelTextKind.None || !_boundary.FollowsCall(address)))
        {
            return false;
        }

        site = _breakpoints.At(address);
        site.IsTrampoline = trampoline;
        return true;
    }

    private ReturnStack StackOf(ulong slot)
    {
        ulong key = slot >> StackShift;
        if (key == _lastKey)
        {
            return _lastStack!;
        }

        if (!_stacks.TryGetValue(key, out ReturnStack? stack))
        {
            if (_stacks.Count >= _sweepAt)
            {
                ForgetEmptyStacks();
            }

            stack = new ReturnStack();
            _stacks.Add(key, stack);
        }

        _lastKey = key;
        _lastStack = stack;
        return stack;
    }

    /// <summary>Every task brings a stack, and every stack that it ran on would be kept for ever.</summary>
    private void ForgetEmptyStacks()
    {
        foreach ((ulong key, ReturnStack stack) in _stacks)
        {
            if (stack.Count == 0)
            {
                // Taking entries out does not disturb the enumeration.
                _stacks.Remove(key);
            }
        }

        _sweepAt = Math.Max(FirstSweep, 2 * _stacks.Count);
    }

    private void Abandon(KretprobeInstance call)
    {
        call.Probe.Open--;
        _open--;
        call.Probe.Abandoned++;
        call.Probe.Give(call);
    }
}
