using KprobeTrace.Cpu;
using KprobeTrace.Guest;

namespace KprobeTrace.Kprobes;

/// <summary>The guest of one processor: a Linux guest's memory through its own page tables, any other through CR3.</summary>
internal sealed class ProbedProcessor : IProbedGuest
{
    private readonly Processor _processor;
    private readonly LinuxGuest? _linux;
    private readonly IGuestMemory? _memory;

    /// <summary>Creates the view.</summary>
    /// <param name="processor">The processor.</param>
    /// <param name="linux">What is known of the Linux it runs, null for another guest.</param>
    /// <param name="memory">The kernel's memory, null to go through CR3.</param>
    public ProbedProcessor(Processor processor, LinuxGuest? linux, IGuestMemory? memory)
    {
        ArgumentNullException.ThrowIfNull(processor);
        _processor = processor;
        _linux = linux;
        _memory = memory;
    }

    /// <inheritdoc/>
    public ulong CurrentTask => _linux?.CurrentTaskAddress(0) ?? 0;

    /// <inheritdoc/>
    public ulong RetiredInstructions => (ulong)_processor.Retired;

    /// <inheritdoc/>
    public int CpuCount => 1;

    /// <inheritdoc/>
    public bool TryReadKernel(ulong address, Span<byte> destination) =>
        _memory is null ? _processor.TryPeek(address, destination) : _memory.TryRead(address, destination);
}
