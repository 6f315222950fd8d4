using KprobeTrace.Machine;
using KprobeTrace.Tracing;

namespace KprobeTrace.Recording;

/// <summary>Cuts the guest's serial output into lines for the trace and passes every byte on.</summary>
internal sealed class ConsoleLines(Stream? sink)
{
    private const int MaxLine = 4096;
    private readonly byte[] _line = new byte[MaxLine];
    private readonly byte[] _passed = new byte[MaxLine];
    private int _waiting;
    private int _length;

    /// <summary>The trace that receives the lines, once there is one.</summary>
    public TraceWriter? Writer { get; set; }

    /// <summary>The machine whose time the lines carry, once there is one.</summary>
    public GuestMachine? Machine { get; set; }

    /// <summary>Set when a line said that the kernel panicked.</summary>
    public bool SawPanic { get; private set; }

    /// <summary>Takes one byte from the serial port.</summary>
    public void Take(byte value)
    {
        Pass(value);
        if (value == (byte)'\n')
        {
            Finish();
        }
        else if (value != (byte)'\r')
        {
            _line[_length++] = value;
            if (_length == MaxLine)
            {
                Finish();
            }
        }
    }

    /// <summary>Ends the line that is under way, if any.</summary>
    public void Finish()
    {
        ReadOnlySpan<byte> line = _line.AsSpan(0, _length);
        SawPanic |= line.IndexOf("Kernel panic - not syncing"u8) >= 0;
        if (Writer is not null && Machine is not null)
        {
            Writer.WriteConsoleLine((ulong)Machine.Now, (ulong)Machine.Retired, line);
        }

        _length = 0;
        Flush();
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
