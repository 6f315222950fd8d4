using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Devices.Timing;

namespace KprobeTrace.Devices;

/// <summary>The real-time clock of a PC: an MC146818 with 128 bytes of battery-backed RAM, at ports 0x70 and 0x71.</summary>
/// <remarks>
/// The date is 2024-01-01 00:00:00 UTC when the machine is switched on and advances with virtual time. An update takes
/// no time: the update-in-progress bit is set in the 244 µs before a second begins, when software has to keep off. Flags
/// of register C are found out when it is read; timers are armed only for interrupts that are enabled and not yet
/// asserted. Registers as in the Motorola MC146818A data sheet, the century at 0x32 as the ACPI tables say.
/// </remarks>
internal sealed partial class RtcMc146818 : IPortDevice, IStateful
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

    // Seconds from 1970 to the first years of the calendar; it ends four times as far on the other side.
    private const long MaxOffset = 62_000_000_000;

    private static readonly TickRate _crystal = new(32768);

    private readonly IVirtualClock _clock;
    private readonly InterruptLine _line;
    private readonly IVirtualTimer _timer;
    private State _state = new() { RegisterA = 0x26, RegisterB = Hours24, Offset = StartSeconds };

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
        _state.Ram[0x15] = 0x80;
        _state.Ram[0x16] = 0x02;
    }

    private bool IsBinary => (_state.RegisterB & BinaryMode) != 0;

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
        _state.Ram[0x17] = _state.Ram[0x30] = (byte)extendedKib;
        _state.Ram[0x18] = _state.Ram[0x31] = (byte)(extendedKib >> 8);
        _state.Ram[0x34] = (byte)above16Mib;
        _state.Ram[0x35] = (byte)(above16Mib >> 8);
    }

    /// <summary>Disables the interrupts; the time and the RAM live on their battery.</summary>
    public void Reset()
    {
        _state.RegisterB &= unchecked((byte)~(PeriodicInterrupt | AlarmInterrupt | UpdateInterrupt | 0x08));
        _state.RegisterC = 0;
        _state.FlagsSeenAt = _clock.Now;
        Update();
    }

    /// <inheritdoc/>
    public void Save(StateWriter to) => to.Write(_state);

    /// <inheritdoc/>
    public void Load(StateReader from)
    {
        State state = from.Read<State>();
        from.Require(state.Offset is > -MaxOffset and < (4 * MaxOffset) && state.Phase is >= 0 and < Second && state.StoppedSubSecond is >= 0 and < Second);
        _state = state;
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        // The index port is write-only.
        return port == 0x70 ? 0xFFu : ReadRegister(_state.Index);
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        if (port == 0x70)
        {
            // Bit 7 masks NMIs, of which this machine has no source outside the APICs.
            _state.Index = (byte)(value & 0x7F);
        }
        else
        {
            WriteRegister(_state.Index, (byte)value);
        }
    }

    private byte ReadRegister(int index)
    {
        switch (index)
        {
            case 1 or 3 or 5:
                return _state.Ram[index];
            case <= 9 or CenturyRegister:
                return ReadTime(index);
            case RegisterA:
                return (byte)(_state.RegisterA | (IsUpdateNear() ? UpdateInProgress : 0));
            case RegisterB:
                return _state.RegisterB;
            case RegisterC:
                CatchUpFlags();
                byte flags = (byte)(_state.RegisterC | (IsInterruptAsserted() ? InterruptFlag : 0));
                _state.RegisterC = 0;
                Update();
                return flags;
            case RegisterD:
                // The battery is good.
                return 0x80;
            default:
                return _state.Ram[index];
        }
    }

    private void WriteRegister(int index, byte value)
    {
        switch (index)
        {
            case 1 or 3 or 5:
                CatchUpFlags();
                _state.Ram[index] = value;
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
                _state.Ram[index] = value;
                break;
        }
    }

    private bool IsUpdateNear() => !IsStopped && Second - SubSecond(_clock.Now) <= UpdateWarning;

    private bool IsInterruptAsserted() =>
        (_state.RegisterC & _state.RegisterB & (PeriodicInterrupt | AlarmInterrupt | UpdateInterrupt)) != 0;

    /// <summary>Ticks of the crystal from one periodic flag to the next, or 0 when the rate selection stops it.</summary>
    private long PeriodTicks()
    {
        // Rates 1 and 2 repeat 8 and 9 with the 32,768 Hz time base (data sheet, table 5).
        int rate = _state.RegisterA & 0x0F;
        return rate == 0 ? 0 : 1L << ((rate < 3 ? rate + 7 : rate) - 1);
    }

    /// <summary>Sets the flags for what happened since they were looked at last.</summary>
    private void CatchUpFlags()
    {
        long now = _clock.Now;
        long before = _state.FlagsSeenAt;
        _state.FlagsSeenAt = now;
        long period = PeriodTicks();
        if (period != 0 && _crystal.ToTicks(before) / period != _crystal.ToTicks(now) / period)
        {
            _state.RegisterC |= PeriodicInterrupt;
        }

        if (IsStopped)
        {
            return;
        }

        long secondBefore = SecondsAt(before);
        long second = SecondsAt(now);
        if (second > secondBefore)
        {
            _state.RegisterC |= UpdateInterrupt;
            if (NextAlarm(secondBefore) <= second)
            {
                _state.RegisterC |= AlarmInterrupt;
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
        if ((_state.RegisterB & PeriodicInterrupt) != 0 && period != 0)
        {
            next = _crystal.ToNanoseconds(((_crystal.ToTicks(now) / period) + 1) * period);
        }

        if (!IsStopped)
        {
            if ((_state.RegisterB & UpdateInterrupt) != 0)
            {
                next = Math.Min(next, TimeOfSecond(SecondsAt(now) + 1));
            }

            if ((_state.RegisterB & AlarmInterrupt) != 0)
            {
                long alarm = NextAlarm(SecondsAt(now));
                next = alarm == long.MaxValue ? next : Math.Min(next, TimeOfSecond(alarm));
            }
        }

        return next;
    }

    /// <summary>What the clock keeps.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>Virtual time up to which the flags are known.</summary>
        public long FlagsSeenAt;

        /// <summary>While the clock runs, the time is (virtual time + <see cref="Phase"/>) / 1 s + this.</summary>
        public long Offset;

        /// <summary>How far into a second the clock was at time 0, in nanoseconds.</summary>
        public long Phase;

        /// <summary>While the clock stands: how far into the second it stood, in nanoseconds.</summary>
        public long StoppedSubSecond;

        /// <summary>While the clock stands: the registers as software wrote them, valid date or not.</summary>
        public Fields Stopped;

        /// <summary>The battery-backed RAM; registers A to D and the date stand elsewhere.</summary>
        public RamBytes Ram;

        /// <summary>The register that port 0x71 reads and writes.</summary>
        public byte Index;

        /// <summary>Register A: divider and rate.</summary>
        public byte RegisterA;

        /// <summary>Register B: modes and interrupt enables.</summary>
        public byte RegisterB;

        /// <summary>The flags of register C, but for the one that sums them up.</summary>
        public byte RegisterC;
    }

    /// <summary>The registers that are RAM.</summary>
    [InlineArray(128)]
    private struct RamBytes
    {
        private byte _first;
    }
}
