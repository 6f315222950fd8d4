using System.Runtime.InteropServices;

namespace KprobeTrace.Devices;

/// <summary>Time, date and alarm.</summary>
internal sealed partial class RtcMc146818
{
    private const byte DividerReset = 0x60;
    private const long SecondsPerDay = 86400;
    private const long HalfSecond = Second / 2;

    private bool IsStopped => (_state.RegisterB & SetTime) != 0 || IsDividerReset;

    private bool IsDividerReset => (_state.RegisterA & DividerReset) == DividerReset;

    private long SecondsAt(long now) => ((now + _state.Phase) / Second) + _state.Offset;

    private long SubSecond(long now) => (now + _state.Phase) % Second;

    private long TimeOfSecond(long second) => ((second - _state.Offset) * Second) - _state.Phase;

    private void WriteRegisterA(byte value)
    {
        bool wasStopped = IsStopped;
        bool wasReset = IsDividerReset;
        Freeze();
        _state.RegisterA = value;
        if (wasReset && !IsDividerReset)
        {
            // The first update comes half a second after the divider is let go.
            _state.StoppedSubSecond = HalfSecond;
        }

        Thaw(wasStopped);
    }

    private void WriteRegisterB(byte value)
    {
        bool wasStopped = IsStopped;
        if ((value & SetTime) != 0)
        {
            value &= unchecked((byte)~UpdateInterrupt);
        }

        Freeze();
        _state.RegisterB = value;
        Thaw(wasStopped);
    }

    private void Freeze()
    {
        if (!IsStopped)
        {
            long now = _clock.Now;
            _state.Stopped = Fields.FromSeconds(SecondsAt(now));
            _state.StoppedSubSecond = SubSecond(now);
        }
    }

    private void Thaw(bool wasStopped)
    {
        if (wasStopped && !IsStopped)
        {
            long now = _clock.Now;
            _state.Phase = (_state.StoppedSubSecond - (now % Second) + Second) % Second;
            _state.Offset = _state.Stopped.ToSeconds() - ((now + _state.Phase) / Second);
        }
    }

    private byte ReadTime(int index)
    {
        Fields time = IsStopped ? _state.Stopped : Fields.FromSeconds(SecondsAt(_clock.Now));
        return index switch
        {
            0 => Encode(time.Second),
            2 => Encode(time.Minute),
            4 => EncodeHour(time.Hour),
            6 => Encode(time.Weekday),
            7 => Encode(time.Day),
            8 => Encode(time.Month),
            9 => Encode(time.Year),
            _ => Encode(time.Century),
        };
    }

    private void WriteTime(int index, byte value)
    {
        long before = SecondsAt(_clock.Now);
        Fields time = IsStopped ? _state.Stopped : Fields.FromSeconds(before);
        switch (index)
        {
            case 0:
                time.Second = Decode(value);
                break;
            case 2:
                time.Minute = Decode(value);
                break;
            case 4:
                time.Hour = DecodeHour(value);
                break;
            case 6:
                time.Weekday = Decode(value);
                break;
            case 7:
                time.Day = Decode(value);
                break;
            case 8:
                time.Month = Decode(value);
                break;
            case 9:
                time.Year = Decode(value);
                break;
            default:
                time.Century = Decode(value);
                break;
        }

        if (IsStopped)
        {
            _state.Stopped = time;
        }
        else
        {
            _state.Offset += time.ToSeconds() - before;
        }
    }

    /// <summary>The first second after <paramref name="second"/> that the alarm registers match, or <see cref="long.MaxValue"/>.</summary>
    private long NextAlarm(long second)
    {
        long candidate = second + 1;
        long last = second + SecondsPerDay;
        while (candidate <= last)
        {
            int ofDay = (int)(((candidate % SecondsPerDay) + SecondsPerDay) % SecondsPerDay);
            if (!Matches(_state.Ram[5], EncodeHour(ofDay / 3600)))
            {
                candidate += 3600 - (ofDay % 3600);
            }
            else if (!Matches(_state.Ram[3], Encode(ofDay / 60 % 60)))
            {
                candidate += 60 - (ofDay % 60);
            }
            else if (!Matches(_state.Ram[1], Encode(ofDay % 60)))
            {
                candidate++;
            }
            else
            {
                return candidate;
            }
        }

        return long.MaxValue;
    }

    // The two high bits of an alarm register set mean any value.
    private static bool Matches(byte alarm, byte value) => alarm >= 0xC0 || alarm == value;

    private byte Encode(int value) => (byte)(IsBinary ? value : (value / 10 * 16) + (value % 10));

    private int Decode(byte value) => IsBinary ? value : ((value >> 4) * 10) + (value & 0x0F);

    private byte EncodeHour(int hour)
    {
        if ((_state.RegisterB & Hours24) != 0)
        {
            return Encode(hour);
        }

        int twelve = hour % 12 == 0 ? 12 : hour % 12;
        return (byte)(Encode(twelve) | (hour >= 12 ? 0x80 : 0));
    }

    private int DecodeHour(byte value)
    {
        if ((_state.RegisterB & Hours24) != 0)
        {
            return Decode(value);
        }

        int twelve = Decode((byte)(value & 0x7F)) % 12;
        return (value & 0x80) != 0 ? twelve + 12 : twelve;
    }

    /// <summary>The date registers as numbers. The day of the week is nobody's but the reader's.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct Fields
    {
        public int Second;
        public int Minute;
        public int Hour;
        public int Weekday;
        public int Day;
        public int Month;
        public int Year;
        public int Century;

        public static Fields FromSeconds(long seconds)
        {
            DateTime time = DateTime.UnixEpoch.AddSeconds(seconds);
            return new Fields
            {
                Second = time.Second,
                Minute = time.Minute,
                Hour = time.Hour,
                Weekday = (int)time.DayOfWeek + 1,
                Day = time.Day,
                Month = time.Month,
                Year = time.Year % 100,
                Century = time.Year / 100,
            };
        }

        /// <summary>Seconds since 1970 of the nearest valid date; the years end where the run cannot leave the calendar.</summary>
        public readonly long ToSeconds()
        {
            int year = (Math.Clamp(Century, 1, 90) * 100) + Math.Clamp(Year, 0, 99);
            int month = Math.Clamp(Month, 1, 12);
            int day = Math.Clamp(Day, 1, DateTime.DaysInMonth(year, month));
            DateTime time = new(
                year,
                month,
                day,
                Math.Clamp(Hour, 0, 23),
                Math.Clamp(Minute, 0, 59),
                Math.Clamp(Second, 0, 59),
                DateTimeKind.Utc);
            return (time.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerSecond;
        }
    }
}
