namespace KprobeTrace.Probes;

/// <summary>What a fetch-argument program and a filter read besides the registers of a hit.</summary>
/// <remarks>Reads never fault the guest, set no accessed bit and fill no TLB: what cannot be read is answered with false.</remarks>
internal unsafe interface IFetchEnvironment
{
    /// <summary>The CPU of the hit, from 0.</summary>
    public int CpuIndex { get; }

    /// <summary>The process id of the current task, 0 before there are tasks.</summary>
    public int CurrentPid { get; }

    /// <summary>The number of instructions retired before the hit.</summary>
    public ulong RetiredInstructions { get; }

    /// <summary>Reads kernel memory through the kernel's own page tables; all bytes or none.</summary>
    public bool TryReadKernel(ulong address, Span<byte> destination);

    /// <summary>Reads memory of the current user address space; all bytes or none. Kernel addresses are refused.</summary>
    public bool TryReadUser(ulong address, Span<byte> destination);

    /// <summary>Copies the name of the current task, without its terminating zero; returns its length (0 to 15).</summary>
    public int ReadComm(Span<byte> destination);

    /// <summary>Writes <c>name+0xoff/0xsize [module]</c> of an address as UTF-8; returns the length written.</summary>
    public int FormatSymbol(ulong address, Span<byte> destination);
}
