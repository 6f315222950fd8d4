using KprobeTrace.Cpu;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>A machine without devices: one interrupt can be raised, nothing else happens.</summary>
internal sealed class SyntheticBus : ICpuBus
{
    public const int InterruptVector = 0x20;

    public Processor? Processor { get; set; }

    public uint TaskPriority { get; set; }

    /// <summary>Virtual time at which the interrupt is raised by itself.</summary>
    public long NextEvent { get; set; } = long.MaxValue;

    public ulong ReadMmio(ulong physical, int size) => ulong.MaxValue;

    public void WriteMmio(ulong physical, ulong value, int size)
    {
    }

    public uint ReadPort(ushort port, int size) => uint.MaxValue;

    public void WritePort(ushort port, uint value, int size)
    {
    }

    public bool TryReadMsr(uint msr, out ulong value)
    {
        value = 0;
        return false;
    }

    public bool TryWriteMsr(uint msr, ulong value) => false;

    public int AcknowledgeInterrupt()
    {
        Processor!.SetInterruptLine(false);
        return InterruptVector;
    }

    public void RunEvents()
    {
        if (Processor!.Now >= NextEvent)
        {
            NextEvent = long.MaxValue;
            Processor.SetInterruptLine(true);
        }
    }
}
