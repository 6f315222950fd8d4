using KprobeTrace.Devices;
using KprobeTrace.Devices.Acpi;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Devices.Timing;
using KprobeTrace.Memory;

namespace KprobeTrace.Machine;

/// <summary>The devices of the machine, which its processors reach by a <see cref="ProcessorBus"/> each.</summary>
internal sealed class MachineBus : IPowerControl, IPhysicalMemoryWriter
{
    private readonly PhysicalMemory _memory;
    private readonly ProcessorBus[] _processors;
    private GuestMachine? _machine;

    public MachineBus(PhysicalMemory memory, Action<byte> console, int processorCount)
    {
        _memory = memory;
        Clock = new EventClock(() => _machine?.Now ?? 0) { DeadlineMovedEarlier = _ => _machine?.Processors.RequestExit() };
        ApicBus apicBus = new();
        _processors = new ProcessorBus[processorCount];
        for (int i = 0; i < processorCount; i++)
        {
            _processors[i] = new ProcessorBus(this, i, apicBus);
        }

        IoApic ioApic = new(apicBus);
        Pic8259Pair pic = new(SetExternalInput);
        IsaInterrupts interrupts = new(pic, ioApic);
        Pit8254 pit = new(Clock, interrupts[0]);
        RtcMc146818 rtc = new(Clock, interrupts[RtcMc146818.Irq]);
        Serial = new Uart16550(Uart16550.Com1, interrupts[Uart16550.Com1Irq], console);
        pic.Register(Ports);
        pit.Register(Ports);
        rtc.Register(Ports);
        rtc.SetMemorySize(memory.Size);
        Serial.Register(Ports);
        SystemControlPorts control = new(Clock, pit, this);
        control.Register(Ports);
        KeyboardController8042 keyboard = new(interrupts[KeyboardController8042.Irq], this);
        keyboard.Register(Ports);
        ResetControl reset = new(this);
        reset.Register(Ports);
        DelayPort delay = new();
        delay.Register(Ports);
        new ExitPort(this).Register(Ports);
        AcpiPowerManagement acpi = new(Clock, interrupts[AcpiPowerManagement.SciIrq], this);
        acpi.Register(Ports);
        (string, IStateful)[] apics = new (string, IStateful)[processorCount];
        (string, IStateful)[] clocks = new (string, IStateful)[processorCount];
        for (int i = 0; i < processorCount; i++)
        {
            _processors[i].Connect(ioApic, pic);
            apics[i] = ("apic", _processors[i].Apic);
            clocks[i] = ("kvmclock", _processors[i].Clock);
        }

        Parts =
        [
            ("clock", Clock), ("lines", interrupts), ("8259", pic), ("ioapic", ioApic), .. apics, ("8254", pit), ("rtc", rtc),
            ("uart", Serial), .. clocks, ("control", control), ("keyboard", keyboard), ("reset", reset), ("delay", delay), ("acpi", acpi),
        ];
    }

    /// <summary>Each processor's way to the devices.</summary>
    public ReadOnlySpan<ProcessorBus> Processors => _processors;

    /// <summary>All that keeps a state, under the names of a saved state's records and in their order.</summary>
    public IReadOnlyList<(string Name, IStateful Part)> Parts { get; }

    public Uart16550 Serial { get; }

    /// <summary>Virtual time and what waits for it.</summary>
    internal EventClock Clock { get; }

    /// <summary>The ports, which are the same for every processor.</summary>
    internal PortBus Ports { get; } = new();

    public void Attach(GuestMachine machine)
    {
        _machine = machine;
        for (int i = 0; i < _processors.Length; i++)
        {
            _processors[i].Attach(machine.Processors[i]);
        }
    }

    public void PowerOff() => _machine!.End(PowerState.PoweredOff);

    public void Reset() => _machine!.End(PowerState.Reset);

    public void ExitWith(uint value)
    {
        _machine!.ExitValue = value;
        _machine.End(PowerState.Exited);
    }

    public bool TryWrite(ulong address, ReadOnlySpan<byte> data) =>
        _machine != null ? _machine.Processors.TryWriteRam(address, data) : _memory.TryWrite(address, data);

    private void SetExternalInput(bool level)
    {
        foreach (ProcessorBus processor in _processors)
        {
            processor.SetExternalInput(level);
        }
    }
}
