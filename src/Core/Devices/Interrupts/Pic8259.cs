using System.Numerics;
using System.Runtime.InteropServices;
using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Devices.Interrupts;

/// <summary>One 8259A interrupt controller (Intel 8259A data sheet, order number 231468).</summary>
internal sealed class Pic8259 : IStateful
{
    private readonly bool _isMaster;
    private State _state;

    public Pic8259(bool isMaster)
    {
        _isMaster = isMaster;
        Reset();
    }

    /// <summary>Whether the INT output is asserted.</summary>
    public bool Output => HighestRequest() >= 0;

    /// <summary>The edge/level control register of the chip set: a bit for each level-triggered input.</summary>
    public byte EdgeLevelControl
    {
        get => _state.EdgeLevelControl;
        set
        {
            // The timer, the keyboard and the cascade (master) and the RTC and the coprocessor (slave) are always edge.
            _state.EdgeLevelControl = (byte)(value & (_isMaster ? 0xF8 : 0xDE));
            _state.EdgeRequests &= (byte)~_state.EdgeLevelControl;
        }
    }

    private byte Level => _state.LevelTriggeredMode ? (byte)0xFF : _state.EdgeLevelControl;

    // The cascade counts as level: the slave's output may stay up from one of its interrupts to the next.
    private byte Requests => (byte)((_state.EdgeRequests & ~Level) | (_state.Inputs & (Level | CascadeBit)));

    private byte CascadeBit => (byte)(_isMaster ? 1 << Pic8259Pair.CascadeInput : 0);

    /// <summary>Masks everything until the guest initialises the chip.</summary>
    public void Reset()
    {
        _state.EdgeRequests = 0;
        _state.InterruptMask = 0xFF;
        _state.InService = 0;
        _state.VectorBase = 0;
        _state.EdgeLevelControl = 0;
        _state.LevelTriggeredMode = false;
        _state.NextInitializationWord = 0;
        _state.Single = false;
        ClearModes();
    }

    public void SetInput(int input, bool level)
    {
        byte bit = (byte)(1 << input);
        if (!level)
        {
            // The request has to stay up until it is acknowledged, in edge mode as well.
            _state.Inputs &= (byte)~bit;
            _state.EdgeRequests &= (byte)~bit;
        }
        else if ((_state.Inputs & bit) == 0)
        {
            _state.Inputs |= bit;
            _state.EdgeRequests |= bit;
        }
    }

    /// <inheritdoc/>
    public void Save(StateWriter to) => to.Write(_state);

    /// <inheritdoc/>
    public void Load(StateReader from)
    {
        State state = from.Read<State>();
        from.Require(state.HighestPriority < 8);
        _state = state;
    }

    /// <summary>Runs an interrupt acknowledge cycle.</summary>
    /// <returns>The input that is now in service, or -1 when no request was there (a spurious interrupt).</returns>
    public int Acknowledge()
    {
        int input = HighestRequest();
        if (input < 0)
        {
            return -1;
        }

        byte bit = (byte)(1 << input);
        _state.EdgeRequests &= (byte)~bit;
        if (!_state.AutomaticEoi)
        {
            _state.InService |= bit;
        }
        else if (_state.RotateOnAutomaticEoi)
        {
            _state.HighestPriority = (byte)((input + 1) & 7);
        }

        return input;
    }

    /// <summary>The vector of an input; a spurious interrupt has that of input 7.</summary>
    public int Vector(int input) => _state.VectorBase | (input < 0 ? 7 : input);

    public byte ReadCommand()
    {
        if (_state.Poll)
        {
            return Poll();
        }

        return _state.ReadsInService ? _state.InService : Requests;
    }

    public byte ReadData() => _state.Poll ? Poll() : _state.InterruptMask;

    public void WriteCommand(byte value)
    {
        if ((value & 0x10) != 0)
        {
            BeginInitialisation(value);
        }
        else if ((value & 0x08) != 0)
        {
            WriteOperation3(value);
        }
        else
        {
            WriteOperation2(value);
        }
    }

    public void WriteData(byte value)
    {
        switch (_state.NextInitializationWord)
        {
            case 2:
                _state.VectorBase = (byte)(value & 0xF8);
                _state.NextInitializationWord = (byte)(_state.Single ? (_state.NeedsIcw4 ? 4 : 0) : 3);
                break;
            case 3:
                // Which input the slave hangs on, or the slave's number: the wiring of a PC fixes both.
                _state.NextInitializationWord = (byte)(_state.NeedsIcw4 ? 4 : 0);
                break;
            case 4:
                _state.AutomaticEoi = (value & 0x02) != 0;
                _state.SpecialFullyNested = (value & 0x10) != 0;
                _state.NextInitializationWord = 0;
                break;
            default:
                _state.InterruptMask = value;
                break;
        }
    }

    private void BeginInitialisation(byte value)
    {
        _state.EdgeRequests = 0;
        _state.InterruptMask = 0;
        _state.InService = 0;
        ClearModes();
        _state.NeedsIcw4 = (value & 0x01) != 0;
        _state.Single = (value & 0x02) != 0;
        _state.LevelTriggeredMode = (value & 0x08) != 0;
        _state.NextInitializationWord = 2;
    }

    private void ClearModes()
    {
        _state.HighestPriority = 0;
        _state.AutomaticEoi = false;
        _state.RotateOnAutomaticEoi = false;
        _state.SpecialFullyNested = false;
        _state.SpecialMask = false;
        _state.ReadsInService = false;
        _state.Poll = false;
    }

    private void WriteOperation3(byte value)
    {
        if ((value & 0x04) != 0)
        {
            _state.Poll = true;
        }

        if ((value & 0x02) != 0)
        {
            _state.ReadsInService = (value & 0x01) != 0;
        }

        if ((value & 0x40) != 0)
        {
            _state.SpecialMask = (value & 0x20) != 0;
        }
    }

    private void WriteOperation2(byte value)
    {
        int level = value & 7;
        switch (value >> 5)
        {
            case 0:
                _state.RotateOnAutomaticEoi = false;
                break;
            case 4:
                _state.RotateOnAutomaticEoi = true;
                break;
            case 1:
                EndOfInterrupt(HighestInService());
                break;
            case 5:
                int ended = HighestInService();
                EndOfInterrupt(ended);
                if (ended >= 0)
                {
                    _state.HighestPriority = (byte)((ended + 1) & 7);
                }

                break;
            case 3:
                EndOfInterrupt(level);
                break;
            case 7:
                EndOfInterrupt(level);
                _state.HighestPriority = (byte)((level + 1) & 7);
                break;
            case 6:
                _state.HighestPriority = (byte)((level + 1) & 7);
                break;
            default:
                break;
        }
    }

    private void EndOfInterrupt(int input)
    {
        if (input >= 0)
        {
            _state.InService &= (byte)~(1 << input);
        }
    }

    // In special mask mode a non-specific end of interrupt leaves inputs alone that are masked.
    private int HighestInService() => Highest(_state.SpecialMask ? (byte)(_state.InService & ~_state.InterruptMask) : _state.InService);

    private byte Poll()
    {
        _state.Poll = false;
        int input = Acknowledge();
        return input < 0 ? (byte)0 : (byte)(0x80 | input);
    }

    private int HighestRequest()
    {
        int request = Highest((byte)(Requests & ~_state.InterruptMask));
        if (request < 0)
        {
            return -1;
        }

        byte blocking = _state.InService;
        if (_state.SpecialMask)
        {
            blocking &= (byte)~_state.InterruptMask;
        }

        if (_state.SpecialFullyNested)
        {
            blocking &= (byte)~CascadeBit;
        }

        int serviced = Highest(blocking);
        return serviced < 0 || Rank(request) < Rank(serviced) ? request : -1;
    }

    private int Highest(byte bits)
    {
        if (bits == 0)
        {
            return -1;
        }

        uint rotated = (uint)((bits | (bits << 8)) >> _state.HighestPriority) & 0xFF;
        return (BitOperations.TrailingZeroCount(rotated) + _state.HighestPriority) & 7;
    }

    private int Rank(int input) => (input - _state.HighestPriority) & 7;

    /// <summary>What a chip keeps.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>The levels of the eight inputs.</summary>
        public byte Inputs;

        /// <summary>The inputs that have risen and were not acknowledged since: the IRR of edge-triggered ones.</summary>
        public byte EdgeRequests;

        /// <summary>IMR.</summary>
        public byte InterruptMask;

        /// <summary>ISR.</summary>
        public byte InService;

        /// <summary>T7 to T3 of ICW2.</summary>
        public byte VectorBase;

        /// <summary>The edge/level control register.</summary>
        public byte EdgeLevelControl;

        /// <summary>The initialization command word that is awaited, or 0.</summary>
        public byte NextInitializationWord;

        /// <summary>The input with the highest priority.</summary>
        public byte HighestPriority;

        /// <summary>LTIM of ICW1: all inputs are level-triggered.</summary>
        public bool LevelTriggeredMode;

        /// <summary>IC4 of ICW1.</summary>
        public bool NeedsIcw4;

        /// <summary>SNGL of ICW1.</summary>
        public bool Single;

        /// <summary>AEOI of ICW4.</summary>
        public bool AutomaticEoi;

        /// <summary>Whether the priorities rotate with each automatic end of interrupt.</summary>
        public bool RotateOnAutomaticEoi;

        /// <summary>SFNM of ICW4.</summary>
        public bool SpecialFullyNested;

        /// <summary>Special mask mode, by OCW3.</summary>
        public bool SpecialMask;

        /// <summary>Whether OCW3 has the ISR read, and not the IRR.</summary>
        public bool ReadsInService;

        /// <summary>Whether OCW3 has made the next read a poll.</summary>
        public bool Poll;
    }
}
