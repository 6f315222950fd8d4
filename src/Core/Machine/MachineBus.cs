using KprobeTrace.Cpu;
using KprobeTrace.Devices;
using KprobeTrace.Devices.Acpi;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Devices.Timing;
using KprobeTrace.Memory;

namespace KprobeTrace.Machine;

/// <summary>The devices of the machine and the processor's way to them.</summary>
internal sealed unsafe class MachineBus : ICpuBus, IProcessorSignals, IPowerControl, IPhysicalMemoryWriter
{
    private const int ApicTimerInput = 0;

    private readonly PhysicalMemory _memory;
    private readonly PortBus _ports = new();
    private readonly MmioBus _mmio = new();
    private readonly EventClock _clock;
    private readonly LocalApic _apic;
    private readonly KvmClock _kvmClock;
    private GuestMachine? _machine;
    private Processor? _processor;

    public MachineBus(PhysicalMemory memory, Action<byte> console)
    {
        _memory = memory;
        _clock = new EventClock(() => _processor?.Now ?? 0) { DeadlineMovedEarlier = _ => RequestExit() };
        ApicBus apicBus = new();
        _apic = new LocalApic(0, isBootstrap: true, _clock, apicBus, this);
        IoApic ioApic = new(apicBus);
        Pic8259Pair pic = new(level => _apic.SetLocalInput(ApicTimerInput, level));
        _apic.ExternalVector = pic.Acknowledge;
        IsaInterrupts interrupts = new(pic, ioApic);
        Pit8254 pit = new(_clock, interrupts[0]);
        RtcMc146818 rtc = new(_clock, interrupts[RtcMc146818.Irq]);
        Serial = new Uart16550(Uart16550.Com1, interrupts[Uart16550.Com1Irq], console);
        _kvmClock = new KvmClock(_clock, this);
        pic.Register(_ports);
        pit.Register(_ports);
        rtc.Register(_ports);
        rtc.SetMemorySize(memory.Size);
        Serial.Register(_ports);
        SystemControlPorts control = new(_clock, pit, this);
        control.Register(_ports);
        KeyboardController8042 keyboard = new(interrupts[KeyboardController8042.Irq], this);
        keyboard.Register(_ports);
        ResetControl reset = new(this);
        reset.Register(_ports);
        DelayPort delay = new();
        delay.Register(_ports);
        new ExitPort(this).Register(_ports);
        AcpiPowerManagement acpi = new(_clock, interrupts[AcpiPowerManagement.SciIrq], this);
        acpi.Register(_ports);
        _mmio.Register(IoApic.DefaultBase, IoApic.RegionLength, ioApic);
        MmioRegion apicRegion = _mmio.Register(LocalApic.DefaultBase, LocalApic.RegionLength, _apic);
        _apic.BaseChanged = (address, enabled) => (apicRegion.Start, apicRegion.Enabled) = (address, enabled);
        _apic.EnterVirtualWire();
        Parts =
        [
            ("clock", _clock), ("lines", interrupts), ("8259", pic), ("ioapic", ioApic), ("apic", _apic), ("8254", pit), ("rtc", rtc),
            ("uart", Serial), ("kvmclock", _kvmClock), ("control", control), ("keyboard", keyboard), ("reset", reset), ("delay", delay), ("acpi", acpi),
        ];
    }

    /// <summary>All that keeps a state, under the names of a saved state's records and in their order.</summary>
    public IReadOnlyList<(string Name, IStateful Part)> Parts { get; }

    public Uart16550 Serial { get; }

    public uint TaskPriority
    {
        get => (uint)(_apic.TaskPriority >> 4);
        set => _apic.TaskPriority = (byte)(value << 4);
    }

    /// <summary>Whether the local APIC has an interrupt for the processor.</summary>
    public bool IsInterruptPending => _apic.IsInterruptPending;

    public long NextEvent => _clock.NextDeadline;

    public void Attach(GuestMachine machine)
    {
        _machine = machine;
        _processor = machine.Processor;
    }

    public void RequestExit()
    {
        if (_processor != null)
        {
            _processor.State->ExitRequest = 1;
        }
    }

    public ulong ReadMmio(ulong physical, int size) => _mmio.Read(physical, size);

    public void WriteMmio(ulong physical, ulong value, int size) => _mmio.Write(physical, value, size);

    public uint ReadPort(ushort port, int size) => _ports.Read(port, size);

    public void WritePort(ushort port, uint value, int size) => _ports.Write(port, value, size);

    public bool TryReadMsr(uint msr, out ulong value) =>
        _apic.TryReadMsr(msr, out value) || _kvmClock.TryReadMsr(msr, out value);

    public bool TryWriteMsr(uint msr, ulong value) =>
        _apic.TryWriteMsr(msr, value) || _kvmClock.TryWriteMsr(msr, value);

    public void OnTscOffset(long offset)
    {
        _apic.TscOffset = offset;
        _kvmClock.TscOffset = offset;
    }

    public int AcknowledgeInterrupt() => _apic.AcknowledgeInterrupt();

    public void RunEvents() => _clock.RunDue(_processor!.Now);

    public void SetInterruptPending(bool pending) => _processor?.SetInterruptLine(pending);

    public void DeliverNmi() => _processor!.RequestNmi();

    // No system management mode is built: the request has nowhere to go.
    public void DeliverSmi()
    {
    }

    public void DeliverInit() => Reset();

    // The bootstrap processor never waits for a start-up message.
    public void DeliverStartup(byte vector)
    {
    }

    public void PowerOff() => _machine!.End(PowerState.PoweredOff);

    public void Reset() => _machine!.End(PowerState.Reset);

    public void ExitWith(uint value)
    {
        _machine!.ExitValue = value;
        _machine.End(PowerState.Exited);
    }

    public bool TryWrite(ulong address, ReadOnlySpan<byte> data) =>
        _processor != null ? _processor.TryWriteRam(address, data) : _memory.TryWrite(address, data);
}
