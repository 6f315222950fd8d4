using KprobeTrace.Memory;

namespace KprobeTrace.Cpu;

/// <summary>Marks the processors of a machine and its memory as in use for as long as the guest runs.</summary>
internal readonly ref struct RunGuard
{
    private readonly PhysicalMemory _memory;

    /// <summary>A run begins.</summary>
    public RunGuard(PhysicalMemory memory)
    {
        _memory = memory;
        memory.IsInUse = true;
    }

    /// <summary>The run is over.</summary>
    public void Dispose() => _memory.IsInUse = false;
}
