using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Devices.Timing;

namespace KprobeTrace.Devices;

/// <summary>The real-time clock of a PC: an MC146818 with 128 bytes of battery-backed RAM, at ports 0x70 and 0x71.</summary>
/// <remarks>
/// The date is 2024-01-01 00:00:00 UTC when the machine is switched on and advances with virtual time. An update takes
/// no time: the update-in-progress bit is set in the 244 µs before a second begins, when software has to keep off. Flags
/// of register C are found out when it is read; timers are armed only for interrupts that are enabled and not yet
/// asserted. Registers as in the Motorola MC146818A data sheet, the century at 0x32 as the ACPI tables say.
/// </remarks>
internal sealed partial class RtcMc146818 : IPortDevice
{
    /// <summary>The interrupt request of the clock.</summary>
    public const int Irq = 8;

    /// <summary>Where the century is kept, in BCD or binary as the other date registers.</summary>
    public const byte CenturyRegister = 0x32;

    /// <summary>The date at power-on in seconds since 1970: 2024-01-01 00:00:00 UTC.</summary>
    public const long StartSeconds = 1_704_067_200;

    private const int RegisterA = 0x0A;
    private const int RegisterB = 0x0B;
    private const int RegisterC = 0x0C;
    private const int RegisterD = 0x0D;

    private const byte UpdateInProgress = 0x80;
    private const byte SetTime = 0x80;
    private const byte PeriodicInterrupt = 0x40;
    private const byte AlarmInterrupt = 0x20;
    private const byte UpdateInterrupt = 0x10;
    private const byte InterruptFlag = 0x80;
    private const byte BinaryMode = 0x04;
    private const byte Hours24 = 0x02;

    private const long Second = 1_000_000_000;
    private const long UpdateWarning = 244_000;

    private static readonly TickRate _crystal = new(32768);

    private readonly IVirtualClock _clock;
    private readonly InterruptLine _line;
    private readonly IVirtualTimer _timer;
    private readonly byte[] _ram = new byte[128];
    private byte _index;
    private byte _registerA = 0x26;
    private byte _registerB = Hours24;
    private byte _flags;

    // Virtual time up to which the flags are known.
    private long _flagsSeenAt;

    /// <summary>Makes the clock with its battery-backed RAM as a PC with 640 KiB of conventional memory and no disks has it.</summary>
    /// <param name="clock">The time.</param>
    /// <param name="line">The line of IRQ 8.</param>
    public RtcMc146818(IVirtualClock clock, InterruptLine line)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(line);
        _clock = clock;
        _line = line;
        _timer = clock.CreateTimer(Update);
        _ram[0x15] = 0x80;
        _ram[0x16] = 0x02;
    }

    private bool IsBinary => (_registerB & BinaryMode) != 0;

    /// <summary>Puts the clock at its ports.</summary>
    public void Register(PortBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.Register(0x70, 2, this);
    }

    /// <summary>Tells firmware's readers of the battery-backed RAM how much memory there is.</summary>
    /// <param name="bytes">Guest RAM in bytes.</param>
    public void SetMemorySize(ulong bytes)
    {
        ulong extendedKib = Math.Min(bytes > 0x100000 ? (bytes - 0x100000) >> 10 : 0, 0xFFFF);
        ulong above16Mib = Math.Min(bytes > 0x1000000 ? (bytes - 0x1000000) >> 16 : 0, 0xFFFF);
        _ram[0x17] = _ram[0x30] = (byte)extendedKib;
        _ram[0x18] = _ram[0x31] = (byte)(extendedKib >> 8);
        _ram[0x34] = (byte)above16Mib;
        _ram[0x35] = (byte)(above16Mib >> 8);
    }

    /// <summary>Disables the interrupts; the time and the RAM live on their battery.</summary>
    public void Reset()
    {
        _registerB &= unchecked((byte)~(PeriodicInterrupt | AlarmInterrupt | UpdateInterrupt | 0x08));
        _flags = 0;
        _flagsSeenAt = _clock.Now;
        Update();
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        // The index port is write-only.
        return port == 0x70 ? 0xFFu : ReadRegister(_index);
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        if (port == 0x70)
        {
            // Bit 7 masks NMIs, of which this machine has no source outside the APICs.
            _index = (byte)(value & 0x7F);
        }
        else
        {
            WriteRegister(_index, (byte)value);
        }
    }

    private byte ReadRegister(int index)
    {
        switch (index)
        {
            case 1 or 3 or 5:
                return _ram[index];
            case <= 9 or CenturyRegister:
                return ReadTime(index);
            case RegisterA:
                return (byte)(_registerA | (IsUpdateNear() ? UpdateInProgress : 0));
            case RegisterB:
                return _registerB;
            case RegisterC:
                CatchUpFlags();
                byte flags = (byte)(_flags | (IsInterruptAsserted() ? InterruptFlag : 0));
                _flags = 0;
                Update();
                return flags;
            case RegisterD:
                // The battery is good.
                return 0x80;
            default:
                return _ram[index];
        }
    }

    private void WriteRegister(int index, byte value)
    {
        switch (index)
        {
            case 1 or 3 or 5:
                CatchUpFlags();
                _ram[index] = value;
                Update();
                break;
            case <= 9 or CenturyRegister:
                CatchUpFlags();
                WriteTime(index, value);
                Update();
                break;
            case RegisterA:
                CatchUpFlags();
                WriteRegisterA((byte)(value & 0x7F));
                Update();
                break;
            case RegisterB:
                CatchUpFlags();
                WriteRegisterB(value);
                Update();
                break;
            case RegisterC or RegisterD:
                break;
            default:
                _ram[index] = value;
                break;
        }
    }

    private bool IsUpdateNear() => !IsStopped && Second - SubSecond(_clock.Now) <= UpdateWarning;

    private bool IsInterruptAsserted() =>
        (_flags & _registerB & (PeriodicInterrupt | AlarmInterrupt | UpdateInterrupt)) != 0;

    /// <summary>Ticks of the crystal from one periodic flag to the next, or 0 when the rate selection stops it.</summary>
    private long PeriodTicks()
    {
        // Rates 1 and 2 repeat 8 and 9 with the 32,768 Hz time base (data sheet, table 5).
        int rate = _registerA & 0x0F;
        return rate == 0 ? 0 : 1L << ((rate < 3 ? rate + 7 : rate) - 1);
    }

    /// <summary>Sets the flags for what happened since they were looked at last.</summary>
    private void CatchUpFlags()
    {
        long now = _clock.Now;
        long before = _flagsSeenAt;
        _flagsSeenAt = now;
        long period = PeriodTicks();
        if (period != 0 && _crystal.ToTicks(before) / period != _crystal.ToTicks(now) / period)
        {
            _flags |= PeriodicInterrupt;
        }

        if (IsStopped)
        {
            return;
        }

        long secondBefore = SecondsAt(before);
        long second = SecondsAt(now);
        if (second > secondBefore)
        {
            _flags |= UpdateInterrupt;
            if (NextAlarm(secondBefore) <= second)
            {
                _flags |= AlarmInterrupt;
            }
        }
    }

    /// <summary>Brings flags, interrupt line and timer up to the present.</summary>
    private void Update()
    {
        CatchUpFlags();
        bool asserted = IsInterruptAsserted();
        _line.Set(asserted);
        long next = asserted ? long.MaxValue : NextInterrupt();
        if (next == long.MaxValue)
        {
            _timer.Cancel();
        }
        else
        {
            _timer.Arm(next);
        }
    }

    private long NextInterrupt()
    {
        long now = _clock.Now;
        long next = long.MaxValue;
        long period = PeriodTicks();
        if ((_registerB & PeriodicInterrupt) != 0 && period != 0)
        {
            next = _crystal.ToNanoseconds(((_crystal.ToTicks(now) / period) + 1) * period);
        }

        if (!IsStopped)
        {
            if ((_registerB & UpdateInterrupt) != 0)
            {
                next = Math.Min(next, TimeOfSecond(SecondsAt(now) + 1));
            }

            if ((_registerB & AlarmInterrupt) != 0)
            {
                long alarm = NextAlarm(SecondsAt(now));
                next = alarm == long.MaxValue ? next : Math.Min(next, TimeOfSecond(alarm));
            }
        }

        return next;
    }
}
