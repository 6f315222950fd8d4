using KprobeTrace.Devices.Saving;
using KprobeTrace.Machine;
using KprobeTrace.Tracing;

namespace KprobeTrace.Recording;

/// <summary>Cuts the guest's serial output into lines for the trace and passes every byte on.</summary>
internal sealed class ConsoleLines(Stream? sink) : IStateful
{
    /// <summary>Most bytes of a line in one piece.</summary>
    internal const int MaxLine = 4096;
    private readonly byte[] _line = new byte[MaxLine];
    private readonly byte[] _passed = new byte[MaxLine];
    private int _waiting;
    private int _length;
    private int _panicSeen;

    /// <summary>The trace that receives the lines, once there is one.</summary>
    public TraceWriter? Writer { get; set; }

    /// <summary>The machine whose time the lines carry, once there is one.</summary>
    public GuestMachine? Machine { get; set; }

    /// <summary>Set when a line said that the kernel panicked.</summary>
    public bool SawPanic { get; private set; }

    private static ReadOnlySpan<byte> Panic => "Kernel panic - not syncing"u8;

    /// <summary>Takes one byte from the serial port.</summary>
    public void Take(byte value)
    {
        Pass(value);
        if (value == (byte)'\n')
        {
            _panicSeen = 0;
            EndLine();
        }
        else if (value != (byte)'\r')
        {
            LookForPanic(value);

            // Cut by the byte behind a piece, so that a line as long as a piece is no piece and an empty line.
            if (_length == MaxLine)
            {
                EndLine();
            }

            _line[_length++] = value;
        }
    }

    /// <summary>Ends the line that is under way, if any.</summary>
    public void Finish()
    {
        if (_length > 0)
        {
            EndLine();
        }

        Flush();
    }

    /// <summary>Writes the line that is under way.</summary>
    public void Save(StateWriter to)
    {
        // What a saved guest has printed was printed by who saved it.
        Flush();
        to.Write(SawPanic);
        to.Write(_panicSeen);
        to.Write(_length);
        to.Write(_line.AsSpan(0, _length));
    }

    /// <inheritdoc/>
    public void Load(StateReader from)
    {
        SawPanic = from.Read<byte>() != 0;
        _panicSeen = from.Read<int>();
        _length = from.ReadCount(1);
        from.Require(_panicSeen >= 0 && _panicSeen < Panic.Length && _length <= MaxLine);
        from.Read(_length).CopyTo(_line);
    }

    private void EndLine()
    {
        if (Writer is not null && Machine is not null)
        {
            Writer.WriteConsoleLine((ulong)Machine.Now, (ulong)Machine.Retired, _line.AsSpan(0, _length));
        }

        _length = 0;
        Flush();
    }

    /// <summary>Follows the message byte by byte, wherever its line is cut; only its first letter begins it anew.</summary>
    private void LookForPanic(byte value)
    {
        _panicSeen = value == Panic[_panicSeen] ? _panicSeen + 1 : value == Panic[0] ? 1 : 0;
        if (_panicSeen == Panic.Length)
        {
            SawPanic = true;
            _panicSeen = 0;
        }
    }

    private void Pass(byte value)
    {
        if (_waiting == _passed.Length)
        {
            Flush();
        }

        _passed[_waiting++] = value;
    }

    private void Flush()
    {
        int waiting = _waiting;
        _waiting = 0;
        try
        {
            sink?.Write(_passed, 0, waiting);
            sink?.Flush();
        }
        catch (IOException e)
        {
            throw new KprobeTraceException($"the guest's console cannot be written: {FileErrors.Reason(e)}; the trace ends there", e);
        }
    }
}
