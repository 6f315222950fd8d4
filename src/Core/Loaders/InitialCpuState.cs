
namespace KprobeTrace.Loaders;

/// <summary>The processor state an image is entered with; what is not listed here is as after reset.</summary>
internal sealed class InitialCpuState
{
    private readonly ulong[] _registers = new ulong[16];

    /// <summary>Gets the mode the image is entered in.</summary>
    public required EntryMode Mode { get; init; }

    /// <summary>Gets the instruction pointer: an offset in the code segment, a virtual address in 64-bit mode.</summary>
    public required ulong Rip { get; init; }

    /// <summary>Gets the flags; interrupts are off.</summary>
    public ulong Rflags { get; init; } = 2;

    /// <summary>Gets the general registers in encoding order: ax cx dx bx sp bp si di r8 … r15.</summary>
    public Span<ulong> Registers => _registers;

    /// <summary>Gets CR0.</summary>
    public required ulong Cr0 { get; init; }

    /// <summary>Gets CR3, the physical address of the top page table.</summary>
    public ulong Cr3 { get; init; }

    /// <summary>Gets CR4.</summary>
    public ulong Cr4 { get; init; }

    /// <summary>Gets the EFER MSR.</summary>
    public ulong Efer { get; init; }

    /// <summary>Gets the linear base address of the global descriptor table.</summary>
    public ulong GdtBase { get; init; }

    /// <summary>Gets the last valid offset in the global descriptor table.</summary>
    public ushort GdtLimit { get; init; }

    /// <summary>Gets the linear base address of the interrupt descriptor table.</summary>
    public ulong IdtBase { get; init; }

    /// <summary>Gets the last valid offset in the interrupt descriptor table; 0 makes any fault fatal in protected mode.</summary>
    public ushort IdtLimit { get; init; }

    /// <summary>Gets the code segment.</summary>
    public required InitialSegment Cs { get; init; }

    /// <summary>Gets the segment that DS, ES, SS, FS and GS are loaded with.</summary>
    public required InitialSegment Data { get; init; }

    /// <summary>Gets the task register.</summary>
    public InitialSegment Tr { get; init; } = new(0, 0, 0xFFFF, 0x8B);
}
