using KprobeTrace.Cpu;

namespace KprobeTrace.Tests.Cpu;

/// <summary>A machine without any device.</summary>
internal sealed class NoBus : ICpuBus
{
    public uint TaskPriority { get; set; }

    public long NextEvent => long.MaxValue;

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

    public int AcknowledgeInterrupt() => -1;

    public void RunEvents()
    {
    }
}
