using KprobeTrace.Cpu;
using KprobeTrace.Guest;

namespace KprobeTrace.Kprobes;

/// <summary>What the table holds for one address: the probes there, newest first, and what they have in common.</summary>
internal sealed class KprobeEntry
{
    private bool _hasPost;
    private bool _hasFault;

    public KprobeEntry(Breakpoint breakpoint)
    {
        Breakpoint = breakpoint;
    }

    public Breakpoint Breakpoint { get; }

    public ulong Address => Breakpoint.Address;

    /// <summary>The probes, newest first. Replaced, never changed: a walk over it survives registrations by handlers.</summary>
    public Kprobe[] Children { get; private set; } = [];

    /// <summary>The entry's own state, which is not always that of its probes.</summary>
    public KprobeStatus Flags { get; set; }

    public byte Opcode => Instruction.Length > 0 ? Instruction[0] : (byte)0;

    public byte[] Instruction { get; set; } = [];

    /// <summary>The start of the function that holds the address.</summary>
    public ulong FunctionStart { get; set; }

    /// <summary>The text whose writes are told of for this entry.</summary>
    public GuestRange Watched { get; set; }

    public bool IsOffBoundary { get; set; }

    public bool IsOptimized { get; set; }

    public bool IsDisabled => (Flags & (KprobeStatus.Disabled | KprobeStatus.Gone)) != 0;

    /// <summary>What the CPU does after the pre-handlers let the instruction run.</summary>
    public BreakpointAction StepAction { get; private set; } = BreakpointAction.Step;

    /// <summary>True when any probe has a post- or fault-handler, disabled ones included.</summary>
    public bool HasLateHandlers => _hasPost || _hasFault;

    /// <summary>Called when what the probes ask for has changed.</summary>
    public Action<KprobeEntry>? Changed { get; set; }

    public KprobeEntry? NextInBucket { get; set; }

    public KprobeEntry? PreviousInBucket { get; set; }

    public void AddNewest(Kprobe probe)
    {
        Children = [probe, .. Children];
        probe.Entry = this;
        Refresh();
    }

    public void Remove(Kprobe probe)
    {
        Children = Array.FindAll(Children, p => p != probe);
        probe.Entry = null;
        Refresh();
    }

    /// <summary>True when no probe of the entry is enabled.</summary>
    public bool AreAllDisabled() => Array.TrueForAll(Children, p => p.IsDisabled);

    /// <summary>Recomputes what the probes have in common.</summary>
    public void Refresh()
    {
        _hasPost = false;
        _hasFault = false;
        foreach (Kprobe probe in Children)
        {
            if ((probe.Flags & KprobeStatus.Gone) == 0)
            {
                _hasPost |= probe.PostHandler is not null;
                _hasFault |= probe.FaultHandler is not null;
            }
        }

        StepAction = _hasPost ? BreakpointAction.StepThenNotify : BreakpointAction.Step;
        Changed?.Invoke(this);
    }
}
