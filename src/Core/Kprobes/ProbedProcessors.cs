using KprobeTrace.Cpu;
using KprobeTrace.Guest;

namespace KprobeTrace.Kprobes;

/// <summary>The guest as the processor sees it whose turn it is: a Linux guest's memory through its own page tables, any other through CR3.</summary>
internal sealed class ProbedProcessors : IProbedGuest
{
    private readonly ProcessorGroup _processors;
    private readonly LinuxGuest? _linux;
    private readonly IGuestMemory? _memory;

    /// <summary>Creates the view.</summary>
    /// <param name="processors">The processors.</param>
    /// <param name="linux">What is known of the Linux they run, null for another guest.</param>
    /// <param name="memory">The kernel's memory, null to go through CR3.</param>
    public ProbedProcessors(ProcessorGroup processors, LinuxGuest? linux, IGuestMemory? memory)
    {
        ArgumentNullException.ThrowIfNull(processors);
        _processors = processors;
        _linux = linux;
        _memory = memory;
    }

    /// <inheritdoc/>
    public ulong CurrentTask => _linux?.CurrentTaskAddress(_processors.Running.Index) ?? 0;

    /// <inheritdoc/>
    public ulong RetiredInstructions => (ulong)_processors.Running.Retired;

    /// <inheritdoc/>
    public int CpuCount => _processors.Count;

    /// <inheritdoc/>
    public bool TryReadKernel(ulong address, Span<byte> destination) =>
        _memory is null ? _processors.Running.TryPeek(address, destination) : _memory.TryRead(address, destination);
}
