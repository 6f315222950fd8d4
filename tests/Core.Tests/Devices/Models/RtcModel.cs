namespace KprobeTrace.Tests.Devices.Models;

/// <summary>An MC146818 that counts seconds one by one, carrying from field to field as the chip does.</summary>
internal sealed class RtcModel
{
    private const long Second = 1_000_000_000;
    private readonly int[] _ram = new int[128];
    private long _now;
    private long _untilUpdate = Second;
    private int _second;
    private int _minute;
    private int _hour;
    private int _day = 1;
    private int _month = 1;
    private int _year = 2024;
    private int _written = 2; // the day of the week as it stands while the clock does
    private int _a = 0x26;
    private int _b = 0x02;
    private bool _periodic;
    private bool _alarm;
    private bool _update;

    public bool Line => (_periodic && (_b & 0x40) != 0) || (_alarm && (_b & 0x20) != 0) || (_update && (_b & 0x10) != 0);

    private bool DividerHeld => (_a & 0x60) == 0x60;

    private bool Stands => _b >= 0x80 || DividerHeld;

    public void AdvanceTo(long now)
    {
        int rate = _a % 16;
        if (rate != 0)
        {
            long period = 1L << ((rate <= 2 ? rate + 7 : rate) - 1);
            long next = (Ticks(_now) / period * period) + period;
            _periodic |= next <= Ticks(now);
        }

        for (long left = now - _now; !Stands && left > 0;)
        {
            long step = Math.Min(left, _untilUpdate);
            left -= step;
            _untilUpdate -= step;
            if (_untilUpdate == 0)
            {
                _untilUpdate = Second;
                Count();
            }
        }

        _now = now;
    }

    public void Reset()
    {
        _b &= ~0x78;
        (_periodic, _alarm, _update) = (false, false, false);
    }

    public int Read(int register)
    {
        switch (register)
        {
            case 0x0A:
                return _a + (!Stands && _untilUpdate <= 244_000 ? 0x80 : 0);
            case 0x0B:
                return _b;
            case 0x0C:
                int flags = (Line ? 0x80 : 0) + (_periodic ? 0x40 : 0) + (_alarm ? 0x20 : 0) + (_update ? 0x10 : 0);
                (_periodic, _alarm, _update) = (false, false, false);
                return flags;
            case 0x0D:
                return 0x80;
            case 0:
                return Coded(_second);
            case 2:
                return Coded(_minute);
            case 4:
                return CodedHour(_hour);
            case 6:
                return Coded(Stands ? _written : DayOfWeek());
            case 7:
                return Coded(_day);
            case 8:
                return Coded(_month);
            case 9:
                return Coded(_year % 100);
            case 0x32:
                return Coded(_year / 100);
            default:
                return _ram[register];
        }
    }

    public void WriteOther(int register, int value)
    {
        bool stood = Stands;
        switch (register)
        {
            case 0x0A:
                bool held = DividerHeld;
                _a = value & 0x7F;
                _untilUpdate = held && !DividerHeld ? Second / 2 : _untilUpdate;
                break;
            case 0x0B:
                _b = value >= 0x80 ? value & ~0x10 : value;
                break;
            case 0x0C or 0x0D:
                break;
            default:
                _ram[register] = value;
                break;
        }

        if (Stands && !stood)
        {
            _written = DayOfWeek();
        }
    }

    /// <summary>Sets a field to a value that makes a date; returns how software writes it.</summary>
    public int SetField(int register, Random random)
    {
        switch (register)
        {
            case 0:
                return Coded(_second = random.Next(60));
            case 2:
                return Coded(_minute = random.Next(60));
            case 4:
                return CodedHour(_hour = random.Next(24));
            case 6:
                return Coded(_written = 1 + random.Next(7));
            case 7:
                return Coded(_day = 1 + random.Next(DaysOf(_month)));
            case 8:
                int[] months = [.. Enumerable.Range(1, 12).Where(m => DaysOf(m) >= _day)];
                return Coded(_month = months[random.Next(months.Length)]);
            case 9:
                _year = (_year / 100 * 100) + random.Next(100);
                _day = Math.Min(_day, DaysOf(_month));
                return Coded(_year % 100);
            default:
                _year = ((19 + random.Next(3)) * 100) + (_year % 100);
                _day = Math.Min(_day, DaysOf(_month));
                return Coded(_year / 100);
        }
    }

    /// <summary>Whether any year has the date, so that a write of another year leaves the day alone.</summary>
    public bool IsLeapDay => _month == 2 && _day == 29;

    /// <summary>An alarm register's value: any, the present hour, minute or second and a little more, or the same for all.</summary>
    public int Alarm(int register, Random random) => (random.Next(4), register) switch
    {
        (0, _) => 0xC0 + random.Next(64),
        (1, _) => random.Next(256),
        (_, 1) => Coded(random.Next(60)),
        (_, 3) => Coded((_minute + random.Next(2)) % 60),
        _ => CodedHour((_hour + random.Next(2)) % 24),
    };

    private static long Ticks(long nanoseconds) => (long)((Int128)nanoseconds * 32768 / Second);

    private void Count()
    {
        if (++_second == 60)
        {
            (_second, _minute) = (0, _minute + 1);
        }

        if (_minute == 60)
        {
            (_minute, _hour) = (0, _hour + 1);
        }

        if (_hour == 24)
        {
            (_hour, _day) = (0, _day + 1);
        }

        if (_day > DaysOf(_month))
        {
            (_day, _month) = (1, _month + 1);
        }

        if (_month == 13)
        {
            (_month, _year) = (1, _year + 1);
        }

        _update = true;
        _alarm |= Meets(1, Coded(_second)) && Meets(3, Coded(_minute)) && Meets(5, CodedHour(_hour));
    }

    private bool Meets(int register, int value) => _ram[register] >= 0xC0 || _ram[register] == value;

    private int DaysOf(int month) => month switch
    {
        2 => _year % 400 == 0 || (_year % 4 == 0 && _year % 100 != 0) ? 29 : 28,
        4 or 6 or 9 or 11 => 30,
        _ => 31,
    };

    /// <summary>Zeller's congruence, with Sunday as 1.</summary>
    private int DayOfWeek()
    {
        int month = _month <= 2 ? _month + 12 : _month;
        int year = _month <= 2 ? _year - 1 : _year;
        int fromSaturday = (_day + (13 * (month + 1) / 5) + year + (year / 4) - (year / 100) + (year / 400)) % 7;
        return fromSaturday == 0 ? 7 : fromSaturday;
    }

    private int Coded(int value) => (_b & 4) != 0 ? value : Convert.ToInt32($"{value}", 16);

    private int CodedHour(int hour) => (_b & 2) != 0 ? Coded(hour) : Coded((hour + 11) % 12 + 1) + (hour > 11 ? 0x80 : 0);
}
