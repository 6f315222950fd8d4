namespace KprobeTrace.Tests.Devices.Models;

/// <summary>One counter of an 8254 by its data sheet, one clock pulse after the other.</summary>
internal sealed class PitModel(bool gate)
{
    private int _control;
    private bool _gate = gate;
    private int? _register;
    private int? _element;
    private int _inUse;
    private bool _null = true;
    private bool _loads;
    private bool _strobes;
    private int? _firstByte;
    private bool _second;
    private int? _latched;
    private int? _status;
    private bool _out;

    public int Rises { get; private set; }

    public bool Out
    {
        get => _out;
        private set
        {
            Rises += value && !_out ? 1 : 0;
            _out = value;
        }
    }

    public int Mode => (_control / 2 % 8) switch { 6 => 2, 7 => 3, int mode => mode };

    private int Access => _control / 16;

    private bool Decimal => _control % 2 == 1;

    private int Modulus => Decimal ? 10_000 : 65_536;

    public void Control(int value)
    {
        _control = value % 64;
        (_register, _element, _firstByte, _latched, _status) = (null, null, null, null, null);
        (_null, _loads, _second) = (true, false, false);
        Out = Mode != 0;
    }

    public void Write(int value)
    {
        if (Access == 3 && _firstByte is null)
        {
            _firstByte = value;
            if (Mode == 0)
            {
                _loads = false;
                Out = false;
            }

            return;
        }

        int written = Access switch { 1 => value, 2 => value * 256, _ => _firstByte!.Value + (value * 256) };
        _firstByte = null;
        int count = Decimal ? Convert.ToInt32($"{written:x}", 10) : written;
        _register = count == 0 ? Modulus : count == 1 && Mode is 2 or 3 ? 2 : count;
        _null = true;
        if (Mode is 0 or 4 || (Mode is 2 or 3 && _element is null))
        {
            _loads = true;
        }

        Out &= Mode != 0;
    }

    public void Gate(bool level)
    {
        bool rises = level && !_gate;
        _gate = level;
        _loads |= rises && _register is not null && Mode is 1 or 2 or 3 or 5;
        Out |= !level && Mode is 2 or 3;
    }

    public void Pulse()
    {
        if (_loads)
        {
            Load();
            _strobes = true;
            Out = Mode > 1;
        }
        else if (_element is not null && Mode is 1 or 5)
        {
            Down();
        }
        else if (_element is not null && _gate && !(Mode == 0 && _firstByte is not null))
        {
            Down();
        }
    }

    public int Read()
    {
        if (_status is int status)
        {
            _status = null;
            return status;
        }

        int value = _latched ?? Shown();
        bool high = Access == 2 || (Access == 3 && _second);
        _second ^= Access == 3;
        if (!_second)
        {
            _latched = null;
        }

        return high ? value / 256 : value % 256;
    }

    public void LatchCount() => _latched ??= Shown();

    public void LatchStatus() => _status ??= (Out ? 128 : 0) + (_null ? 64 : 0) + _control;

    private int Shown()
    {
        int value = (_element ?? _register ?? 0) % Modulus;
        return Decimal ? Convert.ToInt32($"{value}", 16) : value;
    }

    private void Load()
    {
        _inUse = _register!.Value;
        _element = Mode == 3 ? _inUse / 2 * 2 : _inUse;
        (_loads, _null) = (false, false);
    }

    private void Down()
    {
        switch (Mode)
        {
            case 2 when _element == 1:
                Load();
                Out = true;
                return;
            case 3 when _element == (_inUse % 2 == 1 && Out ? 0 : 2):
                Load();
                Out = !Out;
                return;
            case 3:
                _element -= 2;
                return;
        }

        _element = (_element - 1 + Modulus) % Modulus;
        switch (Mode)
        {
            case 0 or 1:
                Out |= _element == 0;
                break;
            case 2:
                Out = _element != 1;
                break;
            default:
                Out = _element != 0 || !_strobes;
                _strobes &= _element != 0;
                break;
        }
    }
}
