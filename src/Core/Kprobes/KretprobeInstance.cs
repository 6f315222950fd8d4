namespace KprobeTrace.Kprobes;

/// <summary>One call of a function that a return probe waits for.</summary>
public sealed class KretprobeInstance
{
    private readonly byte[] _data;

    internal KretprobeInstance(Kretprobe probe, int dataSize)
    {
        Probe = probe;
        _data = dataSize == 0 ? [] : new byte[dataSize];
    }

    /// <summary>The return probe.</summary>
    public Kretprobe Probe { get; }

    /// <summary>Where the function returns to.</summary>
    public ulong RetAddr { get; internal set; }

    /// <summary>The stack slot that holds the return address.</summary>
    public ulong Frame { get; internal set; }

    /// <summary>The address of the task that made the call; 0 before there are tasks.</summary>
    public ulong Task { get; internal set; }

    /// <summary>The call's private bytes, <see cref="Kretprobe.DataSize"/> of them, zero at entry.</summary>
    public Span<byte> Data => _data;

    /// <summary>A number the entry handler may leave for the return handler.</summary>
    public ulong Token { get; set; }
}
