using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Devices.Timing;

namespace KprobeTrace.Devices;

/// <summary>The interval timer of a PC: an 8254 at ports 0x40 to 0x43, clocked at 1,193,182 Hz.</summary>
/// <remarks>
/// Counter 0 drives IRQ 0. Counter 1 once refreshed memory. Counter 2 has its gate and its output at port 0x61
/// (<see cref="SystemControlPorts"/>). After power-up no counter runs, as the data sheet leaves it: no firmware
/// has set counter 0 to its 18.2 interrupts a second.
/// </remarks>
internal sealed class Pit8254 : IPortDevice, IStateful
{
    /// <summary>The clock input in hertz.</summary>
    public const int Frequency = 1_193_182;

    private static readonly TickRate _rate = new(Frequency);

    private readonly IVirtualClock _clock;
    private readonly InterruptLine _line;
    private readonly IVirtualTimer _timer;
    private readonly PitChannel[] _channels;

    /// <summary>Makes the timer with all counters at rest.</summary>
    /// <param name="clock">The time.</param>
    /// <param name="line">The line of IRQ 0.</param>
    public Pit8254(IVirtualClock clock, InterruptLine line)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(line);
        _clock = clock;
        _line = line;
        _timer = clock.CreateTimer(OutputRises);
        _channels = [new PitChannel(gate: true), new PitChannel(gate: true), new PitChannel(gate: false)];
    }

    /// <summary>Whether counter 2 may count.</summary>
    public bool SpeakerGate
    {
        get => _channels[2].Gate;
        set => _channels[2].SetGate(value, Ticks);
    }

    /// <summary>The output of counter 2.</summary>
    public bool SpeakerOutput => _channels[2].Output(Ticks);

    private long Ticks => _rate.ToTicks(_clock.Now);

    /// <summary>Puts the timer at its ports.</summary>
    public void Register(PortBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.Register(0x40, 4, this);
    }

    /// <summary>Stops all counters, as after power-up.</summary>
    public void Reset()
    {
        for (int i = 0; i < _channels.Length; i++)
        {
            _channels[i].Reset(gate: i != 2);
        }

        _timer.Cancel();
        _line.Set(false);
    }

    /// <inheritdoc/>
    public void Save(StateWriter to)
    {
        foreach (PitChannel channel in _channels)
        {
            channel.Save(to);
        }
    }

    /// <inheritdoc/>
    public void Load(StateReader from)
    {
        foreach (PitChannel channel in _channels)
        {
            channel.Load(from);
        }
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        int channel = port & 3;
        return channel == 3 ? 0xFFu : _channels[channel].ReadCount(Ticks);
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        long now = Ticks;
        int channel = port & 3;
        if (channel == 3)
        {
            channel = (int)(value >> 6) & 3;
            if (channel == 3)
            {
                ReadBack(value, now);
                return;
            }

            if ((value & 0x30) == 0)
            {
                _channels[channel].LatchCount(now);
                return;
            }

            _channels[channel].WriteControl((byte)value);
        }
        else
        {
            _channels[channel].WriteCount((byte)value, now);
        }

        if (channel == 0)
        {
            _line.Set(_channels[0].Output(now));
            ScheduleRise(now);
        }
    }

    private void ReadBack(uint command, long now)
    {
        for (int i = 0; i < _channels.Length; i++)
        {
            if ((command & (2u << i)) == 0)
            {
                continue;
            }

            if ((command & 0x20) == 0)
            {
                _channels[i].LatchCount(now);
            }

            if ((command & 0x10) == 0)
            {
                _channels[i].LatchStatus(now);
            }
        }
    }

    private void ScheduleRise(long now)
    {
        long rise = _channels[0].NextRise(now);
        if (rise == long.MaxValue)
        {
            _timer.Cancel();
        }
        else
        {
            _timer.Arm(_rate.ToNanoseconds(rise));
        }
    }

    private void OutputRises()
    {
        // Only rising edges make interrupts, so the low part of a period is not played out on the line: a request
        // stays up until the processor takes it.
        _line.Pulse();
        ScheduleRise(Ticks);
    }
}
