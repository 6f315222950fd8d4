namespace KprobeTrace.Cpu;

/// <summary>What a processor needs of the machine around it; called only on slow paths.</summary>
internal interface ICpuBus
{
    /// <summary>Reads 1, 2, 4 or 8 bytes of a physical address that is not RAM; all ones where nothing answers.</summary>
    public ulong ReadMmio(ulong physical, int size);

    /// <summary>Writes 1, 2, 4 or 8 bytes to a physical address that is not RAM.</summary>
    public void WriteMmio(ulong physical, ulong value, int size);

    /// <summary>Reads 1, 2 or 4 bytes from an I/O port.</summary>
    public uint ReadPort(ushort port, int size);

    /// <summary>Writes 1, 2 or 4 bytes to an I/O port.</summary>
    public void WritePort(ushort port, uint value, int size);

    /// <summary>Reads a model-specific register that a device holds; false when there is none.</summary>
    public bool TryReadMsr(uint msr, out ulong value);

    /// <summary>Writes a model-specific register that a device holds; false when there is none or the value is refused.</summary>
    public bool TryWriteMsr(uint msr, ulong value);

    /// <summary>The guest wrote its time-stamp counter, which now runs this many ns before virtual time.</summary>
    public void OnTscOffset(long offset)
    {
    }

    /// <summary>Accepts the pending external interrupt and returns its vector, or -1 when it has gone away.</summary>
    public int AcknowledgeInterrupt();

    /// <summary>Task priority, as CR8 shows it (0 to 15).</summary>
    public uint TaskPriority { get; set; }

    /// <summary>Virtual time in ns of the next event that may raise an interrupt; <see cref="long.MaxValue"/> when none is set.</summary>
    public long NextEvent { get; }

    /// <summary>Lets all events up to the processor's current virtual time happen.</summary>
    public void RunEvents();
}
