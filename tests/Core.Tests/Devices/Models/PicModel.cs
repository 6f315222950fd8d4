namespace KprobeTrace.Tests.Devices.Models;

/// <summary>One 8259A by its data sheet, an array of flags for each register and a loop for each priority.</summary>
internal sealed class PicModel(bool isMaster)
{
    private readonly bool[] _level = new bool[8];
    private readonly bool[] _edge = new bool[8];
    private readonly bool[] _service = new bool[8];
    private readonly Queue<int> _expected = new();
    private bool[] _masked = [true, true, true, true, true, true, true, true];
    private bool[] _levelTriggered = new bool[8];
    private bool _allLevel;
    private int _base;
    private int _top;
    private bool _auto;
    private bool _rotate;
    private bool _nested;
    private bool _special;
    private bool _readService;
    private bool _poll;

    public bool Output => Winner() >= 0;

    public int EdgeLevel
    {
        get => Bits(_levelTriggered);
        set
        {
            int[] fixedToEdge = isMaster ? [0, 1, 2] : [0, 5];
            _levelTriggered = [.. Enumerable.Range(0, 8).Select(i => (value >> i) % 2 == 1 && !fixedToEdge.Contains(i))];
            for (int i = 0; i < 8; i++)
            {
                _edge[i] &= !_levelTriggered[i];
            }
        }
    }

    public void Reset()
    {
        Array.Fill(_masked, true);
        Array.Clear(_edge);
        Array.Clear(_service);
        Array.Clear(_levelTriggered);
        _expected.Clear();
        _base = 0;
        _allLevel = false;
        Modes();
    }

    public void Input(int input, bool up)
    {
        _edge[input] = up && (_edge[input] || !_level[input]);
        _level[input] = up;
    }

    /// <summary>The input that goes into service, or -1.</summary>
    public int Acknowledge()
    {
        int input = Winner();
        if (input >= 0)
        {
            _edge[input] = false;
            _service[input] |= !_auto;
            _top = _auto && _rotate ? (input + 1) % 8 : _top;
        }

        return input;
    }

    public int Vector(int input) => _base + (input < 0 ? 7 : input);

    public int ReadCommand() => _poll ? Poll() : Bits(_readService ? _service : Requests());

    public int ReadData() => _poll ? Poll() : Bits(_masked);

    public void WriteData(int value)
    {
        if (!_expected.TryDequeue(out int word))
        {
            _masked = [.. Enumerable.Range(0, 8).Select(i => (value >> i) % 2 == 1)];
        }
        else if (word == 2)
        {
            _base = value / 8 * 8;
        }
        else if (word == 4)
        {
            _auto = (value & 2) != 0;
            _nested = (value & 16) != 0;
        }
    }

    public void WriteCommand(int value)
    {
        if ((value & 0x10) != 0)
        {
            Initialise(value);
        }
        else if ((value & 0x08) != 0)
        {
            _poll |= (value & 4) != 0;
            _readService = (value & 3) == 3 || ((value & 3) != 2 && _readService);
            _special = (value & 0x60) == 0x60 || ((value & 0x60) != 0x40 && _special);
        }
        else
        {
            Operate((value & 0x80) != 0, (value & 0x40) != 0, (value & 0x20) != 0, value % 8);
        }
    }

    private void Initialise(int value)
    {
        Array.Clear(_edge);
        Array.Clear(_service);
        Array.Clear(_masked);
        Modes();
        _allLevel = (value & 8) != 0;
        _expected.Clear();
        _expected.Enqueue(2);
        if ((value & 2) == 0)
        {
            _expected.Enqueue(3);
        }

        if ((value & 1) != 0)
        {
            _expected.Enqueue(4);
        }
    }

    private void Modes() =>
        (_top, _auto, _rotate, _nested, _special, _readService, _poll) = (0, false, false, false, false, false, false);

    private void Operate(bool rotate, bool specific, bool end, int level)
    {
        if (!end)
        {
            if (!specific)
            {
                _rotate = rotate;
            }
            else if (rotate)
            {
                _top = (level + 1) % 8;
            }

            return;
        }

        int ended = specific ? level : ByPriority().FirstOrDefault(i => _service[i] && !(_special && _masked[i]), -1);
        if (ended >= 0)
        {
            _service[ended] = false;
            _top = rotate ? (ended + 1) % 8 : _top;
        }
    }

    private int Poll()
    {
        _poll = false;
        int input = Acknowledge();
        return input < 0 ? 0 : 0x80 + input;
    }

    private IEnumerable<int> ByPriority() => Enumerable.Range(_top, 8).Select(static i => i % 8);

    private bool[] Requests() =>
        [.. Enumerable.Range(0, 8).Select(i => _allLevel || _levelTriggered[i] || (isMaster && i == 2) ? _level[i] : _edge[i])];

    private int Winner()
    {
        bool[] requests = Requests();
        foreach (int input in ByPriority())
        {
            bool seenThrough = (_special && _masked[input]) || (_nested && isMaster && input == 2);
            if (_service[input] && !seenThrough)
            {
                return -1;
            }

            if (requests[input] && !_masked[input])
            {
                return input;
            }
        }

        return -1;
    }

    private static int Bits(bool[] flags) => Enumerable.Range(0, 8).Sum(i => flags[i] ? 1 << i : 0);
}
