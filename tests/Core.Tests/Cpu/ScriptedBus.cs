using KprobeTrace.Cpu;

namespace KprobeTrace.Tests.Cpu;

/// <summary>A bus with scripted events, ports that answer what was last written to them, and a page of MMIO registers.</summary>
internal sealed class ScriptedBus : ICpuBus
{
    public const ulong MmioBase = 0xC0000000;

    /// <summary>Vector of an event that raises nothing: a timer whose interrupt is masked.</summary>
    public const int Silent = int.MinValue;

    private readonly SortedDictionary<long, int> _events = [];

    public Processor? Processor { get; set; }

    public Queue<int> PendingVectors { get; } = [];

    public Dictionary<ushort, uint> Ports { get; } = [];

    public List<(ulong Address, ulong Value, int Size, long Time)> MmioWrites { get; } = [];

    public List<(ulong Address, int Size)> MmioReads { get; } = [];

    public byte[] Mmio { get; } = new byte[4096];

    public List<long> PortTimes { get; } = [];

    public long? TscOffset { get; private set; }

    /// <summary>Nanoseconds after which each event comes again, for ever; 0 for once.</summary>
    public long Period { get; set; }

    public uint TaskPriority { get; set; }

    public long NextEvent => _events.Count == 0 ? long.MaxValue : _events.First().Key;

    /// <summary>Raises a vector at a virtual time; a negative one stands for NMI.</summary>
    public void At(long time, int vector) => _events[time] = vector;

    /// <summary>Called before each read of MMIO, when set.</summary>
    public Action? OnMmioRead { get; set; }

    public ulong ReadMmio(ulong physical, int size)
    {
        OnMmioRead?.Invoke();
        MmioReads.Add((physical, size));
        if (physical - MmioBase >= 4096)
        {
            return ulong.MaxValue;
        }

        ulong value = 0;
        for (int i = 0; i < size; i++)
        {
            value |= (ulong)Mmio[(int)(physical - MmioBase) + i] << (8 * i);
        }

        return value;
    }

    public void WriteMmio(ulong physical, ulong value, int size)
    {
        MmioWrites.Add((physical, value, size, Processor!.Now));
        for (int i = 0; i < size && physical - MmioBase < 4096; i++)
        {
            Mmio[(int)(physical - MmioBase) + i] = (byte)(value >> (8 * i));
        }
    }

    public uint ReadPort(ushort port, int size)
    {
        PortTimes.Add(Processor!.Now);
        return Ports.GetValueOrDefault(port, uint.MaxValue);
    }

    public void WritePort(ushort port, uint value, int size)
    {
        PortTimes.Add(Processor!.Now);
        Ports[port] = value;
    }

    public bool TryReadMsr(uint msr, out ulong value)
    {
        value = 0;
        return false;
    }

    public bool TryWriteMsr(uint msr, ulong value) => false;

    public void OnTscOffset(long offset) => TscOffset = offset;

    public int AcknowledgeInterrupt()
    {
        int vector = PendingVectors.Count == 0 ? -1 : PendingVectors.Dequeue();
        Processor!.SetInterruptLine(PendingVectors.Count > 0);
        return vector;
    }

    public void RunEvents()
    {
        while (NextEvent <= Processor!.Now)
        {
            int vector = _events.First().Value;
            _events.Remove(_events.First().Key);
            if (Period != 0)
            {
                At(Processor.Now + Period, vector);
            }

            if (vector == Silent)
            {
                continue;
            }

            if (vector < 0)
            {
                Processor.RequestNmi();
                continue;
            }

            PendingVectors.Enqueue(vector);
            Processor.SetInterruptLine(true);
        }
    }
}
