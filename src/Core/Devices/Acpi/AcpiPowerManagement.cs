using System.Runtime.InteropServices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Devices.Timing;

namespace KprobeTrace.Devices.Acpi;

/// <summary>The fixed hardware of ACPI: PM1 event and control registers and the power management timer (ACPI 6.4 §4.8.3).</summary>
/// <remarks>
/// The machine is always in ACPI mode. Going to sleep with type 5 is power-off; there is no other sleep state and no
/// button. The timer has 32 bits and runs at 3,579,545 Hz; its carry is the only event.
/// </remarks>
internal sealed class AcpiPowerManagement : IPortDevice, IStateful
{
    /// <summary>First port of the PM1 event block (status, enable).</summary>
    public const ushort EventBlock = 0x600;

    /// <summary>Port of the PM1 control register.</summary>
    public const ushort ControlBlock = 0x604;

    /// <summary>Port of the power management timer.</summary>
    public const ushort TimerBlock = 0x608;

    /// <summary>The timer's frequency in hertz.</summary>
    public const int TimerFrequency = 3_579_545;

    /// <summary>The system control interrupt, level-triggered.</summary>
    public const int SciIrq = 9;

    /// <summary>The sleep type of S5, as the DSDT gives it.</summary>
    public const byte SleepTypeOff = 5;

    private const ushort PortCount = 12;
    private const ushort TimerEvent = 1 << 0;
    private const ushort EnableWritable = 0x0521;
    private const ushort ControlSciEnable = 1 << 0;
    private const ushort ControlWritable = 0x1C02;
    private const ushort ControlSleepEnable = 1 << 13;

    private static readonly TickRate _rate = new(TimerFrequency);

    private readonly IVirtualClock _clock;
    private readonly InterruptLine _line;
    private readonly IPowerControl _power;
    private readonly IVirtualTimer _timer;
    private State _state;

    /// <summary>Makes the registers.</summary>
    /// <param name="clock">Drives the timer.</param>
    /// <param name="line">The line of the system control interrupt.</param>
    /// <param name="power">Switches the machine off.</param>
    public AcpiPowerManagement(IVirtualClock clock, InterruptLine line, IPowerControl power)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(line);
        ArgumentNullException.ThrowIfNull(power);
        _clock = clock;
        _line = line;
        _power = power;
        _timer = clock.CreateTimer(Update);
    }

    /// <summary>Puts the registers at their ports.</summary>
    public void Register(PortBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.Register(EventBlock, PortCount, this, wide: true);
    }

    /// <summary>Disables all events.</summary>
    public void Reset()
    {
        _state.CarriesSeen = Carries();
        _state.Status = 0;
        _state.Enable = 0;
        _state.Control = 0;
        Update();
    }

    /// <inheritdoc/>
    public void Save(StateWriter to) => to.Write(_state);

    /// <inheritdoc/>
    public void Load(StateReader from) => _state = from.Read<State>();

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        int offset = port - EventBlock;
        if (offset >= TimerBlock - EventBlock)
        {
            return (uint)_rate.ToTicks(_clock.Now) >> ((offset - (TimerBlock - EventBlock)) * 8);
        }

        Update();
        ulong registers = _state.Status | ((ulong)_state.Enable << 16) | ((ulong)(_state.Control | ControlSciEnable) << 32);
        return (uint)(registers >> (offset * 8));
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        int offset = port - EventBlock;
        ulong mask = (1UL << (size * 8)) - 1;
        if (offset >= TimerBlock - EventBlock)
        {
            return;
        }

        Update();
        ulong shifted = (ulong)value << (offset * 8);
        ulong written = mask << (offset * 8);
        _state.Status &= (ushort)~shifted;
        _state.Enable = (ushort)(((_state.Enable & ~(written >> 16)) | (shifted >> 16)) & EnableWritable);
        _state.Control = (ushort)(((_state.Control & ~(written >> 32)) | (shifted >> 32)) & (ControlWritable | ControlSleepEnable));
        bool sleep = (_state.Control & ControlSleepEnable) != 0;
        _state.Control &= ControlWritable;
        Update();
        if (sleep && _state.Control >> 10 == SleepTypeOff)
        {
            _power.PowerOff();
        }
    }

    private long Carries() => _rate.ToTicks(_clock.Now) >> 31;

    private void Update()
    {
        long carries = Carries();
        if (carries != _state.CarriesSeen)
        {
            _state.CarriesSeen = carries;
            _state.Status |= TimerEvent;
        }

        bool asserted = (_state.Status & _state.Enable) != 0;
        _line.Set(asserted);
        if ((_state.Enable & TimerEvent) != 0 && !asserted)
        {
            _timer.Arm(_rate.ToNanoseconds((carries + 1) << 31));
        }
        else
        {
            _timer.Cancel();
        }
    }

    /// <summary>What the registers keep.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>Half periods of the timer (changes of its top bit) that the status bit already stands for.</summary>
        public long CarriesSeen;

        /// <summary>PM1 status.</summary>
        public ushort Status;

        /// <summary>PM1 enable.</summary>
        public ushort Enable;

        /// <summary>PM1 control.</summary>
        public ushort Control;
    }
}
