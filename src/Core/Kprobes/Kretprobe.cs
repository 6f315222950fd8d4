namespace KprobeTrace.Kprobes;

/// <summary>A probe on a function's return, by the names <c>struct kretprobe</c> uses.</summary>
public sealed class Kretprobe
{
    private readonly Stack<KretprobeInstance> _free = new();

    /// <summary>Creates a return probe; <see cref="Kp"/> names the function.</summary>
    public Kretprobe()
        : this(isInternal: false)
    {
    }

    internal Kretprobe(bool isInternal, string? savedAs = null)
    {
        Kp = new Kprobe { ReturnProbe = this, IsInternal = isInternal, SavedAs = savedAs };
    }

    /// <summary>The probe on the function's entry. Registration takes its handlers over: a return probe has none of them.</summary>
    public Kprobe Kp { get; }

    /// <summary>Runs at the entry; optional.</summary>
    public KretprobeHandler? EntryHandler { get; set; }

    /// <summary>Runs when the function returned; optional.</summary>
    public KretprobeHandler? Handler { get; set; }

    /// <summary>How many calls the kernel could follow at once; filled in when not positive. Never limits here.</summary>
    public int MaxActive { get; set; }

    /// <summary>Private bytes of every call.</summary>
    public int DataSize { get; set; }

    /// <summary>Calls missed because <see cref="ReturnCalls.MaxOpen"/> of all probes together were open: what a guest can make us hold is bounded.</summary>
    public ulong NMissed { get; internal set; }

    /// <summary>Entries without a return address on the stack, as at system calls and interrupts: no return can follow.</summary>
    public ulong NoReturnAddress { get; internal set; }

    /// <summary>Calls that returned.</summary>
    public ulong Returns { get; internal set; }

    /// <summary>Calls dropped because their task ended or their stack was unwound past them.</summary>
    public ulong Abandoned { get; internal set; }

    /// <summary>Calls that have not returned so far.</summary>
    public int Open { get; internal set; }

    /// <summary>Counts registrations: a call belongs to the one it was entered under.</summary>
    internal int Registration { get; set; }

    internal ushort[] ReturnImmediates { get; set; } = [];

    internal KretprobeInstance Take()
    {
        if (!_free.TryPop(out KretprobeInstance? instance))
        {
            return new KretprobeInstance(this, DataSize);
        }

        instance.Data.Clear();
        instance.Token = 0;
        return instance;
    }

    internal void Give(KretprobeInstance instance) => _free.Push(instance);

    internal void Forget() => _free.Clear();
}
