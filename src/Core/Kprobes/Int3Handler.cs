using KprobeTrace.Cpu;

namespace KprobeTrace.Kprobes;

/// <summary>What happens at a breakpoint: pre-handlers, step, post-handlers, faults, returns.</summary>
internal sealed unsafe class Int3Handler
{
    /// <summary>Times handlers may redirect the guest with nothing retired in between.</summary>
    public const int MaxWithoutProgress = 1000;

    private const ulong TrapFlag = 1 << 8;
    private const ulong InterruptFlag = 1 << 9;
    private const ulong Snapshot = TrapFlag | InterruptFlag;
    private const ulong PrivilegeMask = 3;

    private readonly BreakpointMap _breakpoints;
    private readonly ReturnCalls _returns;
    private readonly IProbedGuest _guest;
    private readonly Func<ulong, string> _describe;
    private readonly IKernelText _text;
    private readonly PerCpu[] _cpus;

    internal Int3Handler(
        BreakpointMap breakpoints, ReturnCalls returns, IProbedGuest guest, IKernelText text, Func<ulong, string> describe)
    {
        _text = text;
        _describe = describe;
        _breakpoints = breakpoints;
        _returns = returns;
        _guest = guest;
        _cpus = new PerCpu[guest.CpuCount];
        for (int i = 0; i < _cpus.Length; i++)
        {
            _cpus[i] = new PerCpu();
        }
    }

    /// <summary>Brings probes up to date with what the guest wrote to its text.</summary>
    internal Action Settle { get; init; } = static () => { };

    /// <summary>Whether a handler runs for a hit of a processor; the machine must not be run then.</summary>
    public bool IsInHandler(int cpu) => _cpus[cpu].IsInHandler;

    /// <summary>A fetch in kernel mode reached an armed address.</summary>
    /// <param name="cpu">The index of the processor that fetched.</param>
    /// <param name="slot">The number given to <see cref="IFetchView.Arm"/>.</param>
    /// <param name="registers">The frame, <c>Ip</c> being the address plus one as after an int3; edits count.</param>
    public BreakpointAction OnBreakpoint(int cpu, int slot, PtRegs* registers)
    {
        if ((registers->Cs & PrivilegeMask) != 0 || !_breakpoints.Contains(slot))
        {
            // The overlay is for kernel mode; a user's breakpoint is the user's.
            return BreakpointAction.Deliver;
        }

        Settle();
        Breakpoint breakpoint = _breakpoints[slot];

        // Where a return was waited for as well, the flag tells whether the fetch saw a probe's breakpoint too.
        bool isProbed = breakpoint.IsArmedByProbe || !breakpoint.IsReturnSite;
        PerCpu here = _cpus[cpu];
        bool outer = here.IsInHandler;
        here.IsInHandler = true;
        try
        {
            if (breakpoint.IsReturnSite)
            {
                registers->Ip--;
                _returns.Return(breakpoint, registers);
                registers->Ip++;
            }

            KprobeEntry? entry = breakpoint.Entry;
            if (entry is null || !isProbed)
            {
                // Unregistered between fetch and dispatch, or only a return was waited for: the real instruction runs.
                // What was merely disarmed since the fetch is found in the table, and is a hit.
                registers->Ip--;
                return BreakpointAction.Step;
            }

            return RunPreHandlers(here, entry, registers);
        }
        finally
        {
            here.IsInHandler = outer;
        }
    }

    /// <summary>The address a slot number stands for.</summary>
    public ulong AddressOf(int slot) => _breakpoints[slot].Address;

    /// <summary>Whether an address is one of the image's own, as it was linked.</summary>
    public bool IsInImage(ulong address)
    {
        Span<byte> one = stackalloc byte[1];
        return _text.TryReadOriginal(address, one);
    }

    /// <summary>The stepped instruction completed; the frame is the state after it, and edits count.</summary>
    public void OnStepped(int cpu, int slot, PtRegs* registers)
    {
        KprobeEntry? entry = _breakpoints[slot].Entry;
        if (entry is null)
        {
            return;
        }

        PerCpu here = _cpus[cpu];
        bool outer = here.IsInHandler;
        here.IsInHandler = true;
        try
        {
            Kprobe[] probes = entry.Children;
            foreach (Kprobe probe in probes)
            {
                if (IsAsked(probe, probes))
                {
                    probe.PostHandler?.Invoke(probe, ref *registers, 0);
                }
            }
        }
        finally
        {
            here.IsInHandler = outer;
        }
    }

    /// <summary>The stepped instruction raised a fault; the frame is the state before it, <c>Ip</c> the address.</summary>
    /// <returns>True: handled, continue at the frame's <c>Ip</c>. False: the guest gets the fault.</returns>
    public bool OnStepFault(int cpu, int slot, PtRegs* registers, int vector, uint errorCode, ulong cr2)
    {
        KprobeEntry? entry = _breakpoints[slot].Entry;
        if (entry is null)
        {
            return false;
        }

        PerCpu here = _cpus[cpu];
        bool outer = here.IsInHandler;
        here.IsInHandler = true;
        try
        {
            Kprobe[] probes = entry.Children;
            PtRegs before = *registers;
            bool handled = false;
            for (int i = 0; i < probes.Length && !handled; i++)
            {
                handled = !probes[i].IsDisabled && probes[i].FaultHandler is KprobeFaultHandler handler
                    && handler(probes[i], ref *registers, vector) != 0;
            }

            KprobeFault fault = new(vector, errorCode, cr2, handled);
            foreach (Kprobe probe in probes)
            {
                if (!probe.IsDisabled && probe.FaultObserver is KprobeFaultObserver observer)
                {
                    PtRegs copy = before;
                    observer(probe, ref copy, in fault);
                }
            }

            if (handled)
            {
                CheckProgress(here, entry, "its fault handler handled");
            }

            return handled;
        }
        finally
        {
            here.IsInHandler = outer;
        }
    }

    private BreakpointAction RunPreHandlers(PerCpu here, KprobeEntry entry, PtRegs* registers)
    {
        ulong flags = registers->Flags;
        ulong ip = registers->Ip;
        Kprobe[] probes = entry.Children;
        foreach (Kprobe probe in probes)
        {
            if (!IsAsked(probe, probes))
            {
                continue;
            }

            probe.Hits++;
            if (probe.PreHandler is KprobePreHandler handler && handler(probe, ref *registers) != 0)
            {
                CheckProgress(here, entry, "its pre-handler took over");
                return BreakpointAction.Resume;
            }
        }

        // TF and IF are those of the interrupted context again, and the instruction runs at its own address.
        registers->Flags = (registers->Flags & ~Snapshot) | (flags & Snapshot);
        registers->Ip = ip - 1;
        return entry.StepAction;
    }

    /// <summary>
    /// Whether it is a probe's turn at a hit. Of several at an address the disabled ones are passed over; of a lone one the flag
    /// is not asked, since without its breakpoint there would have been no hit.
    /// </summary>
    private static bool IsAsked(Kprobe probe, Kprobe[] probes) =>
        !probe.IsDisabled || (probes.Length == 1 && (probe.Flags & KprobeStatus.Gone) == 0);

    /// <summary>Ends a run in which handlers send the guest round in circles.</summary>
    private void CheckProgress(PerCpu here, KprobeEntry entry, string what)
    {
        ulong retired = _guest.RetiredInstructions;
        if (retired != here.StuckAt)
        {
            here.StuckAt = retired;
            here.StuckCount = 0;
        }

        if (++here.StuckCount > MaxWithoutProgress)
        {
            throw new KprobeTraceException(
                $"the probe at {_describe(entry.Address)} stops the guest: {what} "
                + $"{MaxWithoutProgress} times with no instruction executed in between; "
                + "let the handler repair the cause or set ip to another address");
        }
    }

    /// <summary>What the kernel keeps in a <c>kprobe_ctlblk</c> of each CPU.</summary>
    private sealed class PerCpu
    {
        /// <summary>Whether a handler runs for a hit of this processor.</summary>
        public bool IsInHandler;

        /// <summary>What the processor had retired when a handler last sent it elsewhere.</summary>
        public ulong StuckAt = ulong.MaxValue;

        /// <summary>How often handlers have done so since then.</summary>
        public int StuckCount;
    }
}
