using KprobeTrace.Cpu;
using KprobeTrace.Devices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Devices.Timing;

namespace KprobeTrace.Machine;

/// <summary>One processor's way to the devices: its own local APIC and clock, and what all processors share.</summary>
/// <remarks>The APIC's page may be moved, by each processor for itself, so each sees a physical address space of its own.</remarks>
internal sealed unsafe class ProcessorBus : ICpuBus, IProcessorSignals
{
    private const int LocalInterrupt0 = 0;

    private readonly MachineBus _machine;
    private readonly EventClock _clock;
    private readonly PortBus _ports;
    private readonly MmioBus _mmio = new();
    private readonly bool _isBootstrap;
    private Processor? _processor;

    /// <summary>Makes the local APIC of a processor and attaches it to the others.</summary>
    /// <param name="machine">What all processors share.</param>
    /// <param name="index">The processor's index, which becomes its initial APIC id.</param>
    /// <param name="apicBus">Where the APICs meet.</param>
    public ProcessorBus(MachineBus machine, int index, ApicBus apicBus)
    {
        _machine = machine;
        _clock = machine.Clock;
        _ports = machine.Ports;
        _isBootstrap = index == ProcessorGroup.BootstrapIndex;
        Apic = new LocalApic((byte)index, _isBootstrap, _clock, apicBus, this);
        Clock = new KvmClock(_clock, machine);
    }

    /// <summary>The processor's local APIC.</summary>
    public LocalApic Apic { get; }

    /// <summary>The processor's page of time.</summary>
    public KvmClock Clock { get; }

    /// <inheritdoc/>
    public uint TaskPriority
    {
        get => (uint)(Apic.TaskPriority >> 4);
        set => Apic.TaskPriority = (byte)(value << 4);
    }

    /// <inheritdoc/>
    public long NextEvent => _clock.NextDeadline;

    /// <summary>Wires what was made after the APIC: its place beside the I/O APIC's, and the 8259 pair's output and vectors.</summary>
    public void Connect(IoApic ioApic, Pic8259Pair pic)
    {
        _mmio.Register(IoApic.DefaultBase, IoApic.RegionLength, ioApic);
        MmioRegion region = _mmio.Register(LocalApic.DefaultBase, LocalApic.RegionLength, Apic);
        Apic.BaseChanged = (address, enabled) => (region.Start, region.Enabled) = (address, enabled);
        Apic.ExternalVector = pic.Acknowledge;
        if (_isBootstrap)
        {
            Apic.EnterVirtualWire();
        }
    }

    /// <summary>Tells which processor it is whose way this is.</summary>
    public void Attach(Processor processor) => _processor = processor;

    /// <summary>The output of the 8259 pair, which goes to every processor: who takes it is up to their APICs.</summary>
    public void SetExternalInput(bool level) => Apic.SetLocalInput(LocalInterrupt0, level);

    /// <summary>Tells the processor of an interrupt that waits in the APIC, or that none does.</summary>
    public void RenewInterruptLine() => _processor!.SetInterruptLine(Apic.IsInterruptPending);

    /// <inheritdoc/>
    public ulong ReadMmio(ulong physical, int size) => _mmio.Read(physical, size);

    /// <inheritdoc/>
    public void WriteMmio(ulong physical, ulong value, int size) => _mmio.Write(physical, value, size);

    /// <inheritdoc/>
    public uint ReadPort(ushort port, int size) => _ports.Read(port, size);

    /// <inheritdoc/>
    public void WritePort(ushort port, uint value, int size) => _ports.Write(port, value, size);

    /// <inheritdoc/>
    public bool TryReadMsr(uint msr, out ulong value) => Apic.TryReadMsr(msr, out value) || Clock.TryReadMsr(msr, out value);

    /// <inheritdoc/>
    public bool TryWriteMsr(uint msr, ulong value) => Apic.TryWriteMsr(msr, value) || Clock.TryWriteMsr(msr, value);

    /// <inheritdoc/>
    public void OnTscOffset(long offset)
    {
        Apic.TscOffset = offset;
        Clock.TscOffset = offset;
    }

    /// <inheritdoc/>
    public int AcknowledgeInterrupt() => Apic.AcknowledgeInterrupt();

    /// <inheritdoc/>
    public void RunEvents() => _clock.RunDue(_processor!.Now);

    /// <inheritdoc/>
    public void SetInterruptPending(bool pending) => _processor?.SetInterruptLine(pending);

    /// <inheritdoc/>
    public void DeliverNmi() => _processor!.RequestNmi();

    /// <inheritdoc/>
    /// <remarks>No system management mode is built: the request has nowhere to go.</remarks>
    public void DeliverSmi()
    {
    }

    /// <inheritdoc/>
    /// <remarks>Any but the bootstrap processor stands where INIT leaves it: none is started yet.</remarks>
    public void DeliverInit()
    {
        if (_isBootstrap)
        {
            _machine.Reset();
        }
    }

    /// <inheritdoc/>
    /// <remarks>The bootstrap processor never waits for a start-up message, and no other is started yet.</remarks>
    public void DeliverStartup(byte vector)
    {
    }
}
