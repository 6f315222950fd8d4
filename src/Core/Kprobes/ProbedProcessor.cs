using KprobeTrace.Cpu;
using KprobeTrace.Guest;

namespace KprobeTrace.Kprobes;

/// <summary>The guest of one processor: a Linux guest's memory through its own page tables, any other through CR3.</summary>
public sealed unsafe class ProbedProcessor : IProbedGuest
{
    private const ulong PageSize = 0x1000;
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
        _memory is null ? TryPeek(_processor, address, destination) : _memory.TryRead(address, destination);

    /// <summary>Reads memory through the page tables in force, whatever their rights; all bytes or none.</summary>
    internal static bool TryPeek(Processor processor, ulong address, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int part = (int)Math.Min(PageSize - (address & (PageSize - 1)), (ulong)destination.Length);
            if (!processor.TryPeek(address, processor.State->Cr3, out ulong physical)
                || !processor.Memory.TryRead(physical, destination[..part]))
            {
                return false;
            }

            destination = destination[part..];
            address += (ulong)part;
        }

        return true;
    }
}
