namespace KprobeTrace.Kprobes;

/// <summary>The guest's memory and its current task, as the dispatch of hits needs them, on the processor whose turn it is.</summary>
/// <remarks>Reads set no accessed bit, fill no TLB and go through the kernel's own page tables.</remarks>
internal interface IProbedGuest
{
    /// <summary>The address of the structure of the task that the processor runs; 0 before there are tasks.</summary>
    public ulong CurrentTask { get; }

    /// <summary>The number of instructions that the processor has retired so far.</summary>
    public ulong RetiredInstructions { get; }

    /// <summary>The number of possible CPUs.</summary>
    public int CpuCount { get; }

    /// <summary>Reads kernel memory as the guest has it, image text also before page tables map it; all bytes or none.</summary>
    public bool TryReadKernel(ulong address, Span<byte> destination);
}
