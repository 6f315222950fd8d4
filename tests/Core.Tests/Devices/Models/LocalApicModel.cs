namespace KprobeTrace.Tests.Devices.Models;

/// <summary>A local APIC by chapter 11 of the manual: a flag for each vector, a timer that counts nanoseconds one by one.</summary>
internal sealed class LocalApicModel
{
    private readonly bool[] _requested = new bool[256];
    private readonly bool[] _service = new bool[256];
    private readonly bool[] _level = new bool[256];
    private bool _enabled;
    private int _spurious = 0xFF;
    private int _errors;
    private int _status;
    private int _errorEntry = 0x10000;
    private int _timer = 0x10000;
    private int _divider = 2;
    private long _initial;
    private long _left;
    private ulong _deadline;
    private long _now;

    public int TaskPriority { get; set; }

    public bool Pending => _enabled && Highest(_requested) / 16 > ProcessorPriority / 16;

    public int ProcessorPriority => Math.Max(Highest(_service), 0) / 16 > TaskPriority / 16 ? Highest(_service) / 16 * 16 : TaskPriority;

    public int Arbitration
    {
        get
        {
            int highest = Math.Max(Math.Max(Highest(_requested), Highest(_service)), 0) / 16;
            return TaskPriority / 16 >= highest ? TaskPriority : highest * 16;
        }
    }

    public int Timer => _timer;

    public int ErrorEntry => _errorEntry;

    public int ErrorStatus => _status;

    public long Initial => _initial;

    public ulong Deadline => _deadline;

    public long Count => (_left + _divider - 1) / _divider;

    private bool ByDeadline => (_timer & 0x60000) == 0x40000;

    private bool Periodic => (_timer & 0x60000) == 0x20000;

    public long Word(char set, int index) => (set switch { 'i' => _service, 't' => _level, _ => _requested })
        .Skip(32 * index).Take(32).Select(static (bit, i) => bit ? 1L << i : 0).Sum();

    public void Spurious(int value)
    {
        _spurious = value % 1024;
        _enabled = (value & 256) != 0;
        if (!_enabled)
        {
            _timer |= 0x10000;
            _errorEntry |= 0x10000;
        }
    }

    public int Acknowledge()
    {
        if (!Pending)
        {
            return _spurious % 256;
        }

        int vector = Highest(_requested);
        _requested[vector] = false;
        _service[vector] = true;
        return vector;
    }

    /// <summary>The level-triggered vector that ended, or -1.</summary>
    public int End()
    {
        int vector = Highest(_service);
        if (vector < 0)
        {
            return -1;
        }

        _service[vector] = false;
        return _level[vector] ? vector : -1;
    }

    public void Send(int vector)
    {
        if (vector < 16)
        {
            Error(0x20);
        }
        else
        {
            Take(vector, false);
        }
    }

    public void Take(int vector, bool level)
    {
        if (_enabled && vector < 16)
        {
            Error(0x40);
        }
        else if (_enabled)
        {
            _requested[vector] = true;
            _level[vector] = level;
        }
    }

    public void LatchErrors() => (_status, _errors) = (_errors, 0);

    public void WriteErrorEntry(int value) => _errorEntry = (value & 0x100FF) | (_enabled ? 0 : 0x10000);

    public void WriteTimer(int value)
    {
        bool before = ByDeadline;
        _timer = (value & 0x700FF) | (_enabled ? 0 : 0x10000);
        if (before != ByDeadline)
        {
            (_initial, _left, _deadline) = (0, 0, 0);
        }
    }

    public void WriteInitial(uint value)
    {
        if (!ByDeadline)
        {
            _initial = value;
            _left = value * (long)_divider;
        }
    }

    public void WriteDivider(int divider)
    {
        _left = Count * divider;
        _divider = divider;
    }

    public void WriteDeadline(ulong value)
    {
        if (ByDeadline)
        {
            _deadline = value;
        }
    }

    public void Advance(int nanoseconds, long offset)
    {
        Expire(offset);
        for (int i = 0; i < nanoseconds; i++)
        {
            _now++;
            if (_left > 0 && --_left == 0)
            {
                _left = Periodic ? _initial * _divider : 0;
                Fire();
            }

            Expire(offset);
        }
    }

    private static int Highest(bool[] set) => Array.LastIndexOf(set, true);

    private void Expire(long offset)
    {
        if (_deadline != 0 && _now + offset >= (long)_deadline)
        {
            _deadline = 0;
            Fire();
        }
    }

    private void Fire()
    {
        if ((_timer & 0x10000) == 0)
        {
            Take(_timer % 256, false);
        }
    }

    private void Error(int bit)
    {
        _errors |= bit;
        if ((_errorEntry & 0x10000) == 0 && _errorEntry % 256 >= 16)
        {
            Take(_errorEntry % 256, false);
        }
    }
}
