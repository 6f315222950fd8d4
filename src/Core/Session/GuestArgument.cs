using System.Text;
using KprobeTrace.Cpu;
using KprobeTrace.Probes;

namespace KprobeTrace.Session;

/// <summary>A fetch argument that handlers read by themselves; made by <see cref="GuestSession.Argument"/>.</summary>
/// <remarks>A value is read at the call, from registers and memory as they are then. Not for several threads.</remarks>
public sealed unsafe class GuestArgument
{
    private readonly IFetchEnvironment _environment;
    private readonly FetchProgram _program;
    private readonly FetchBuffer _buffer;

    internal GuestArgument(ProbeDefinition definition, IFetchEnvironment environment)
    {
        _environment = environment;
        _program = definition.CompileArguments();
        _buffer = _program.CreateBuffer();
    }

    /// <summary>Reads a number; false where its memory cannot be read, or where the argument is a text.</summary>
    /// <param name="registers">The registers of the hit.</param>
    /// <param name="value">The number, by its type extended to 64 bits; the first element of an array.</param>
    public bool TryRead(ref PtRegs registers, out long value)
    {
        Fetch(ref registers);
        bool isNumber = _program.Arguments[0].Type.Kind != FetchValueKind.Text && !_buffer.IsFaulted(0);
        value = isNumber ? (long)_buffer.Value(0) : 0;
        return isNumber;
    }

    /// <summary>Reads a text, or the value as ftrace prints it; null where its memory cannot be read.</summary>
    /// <param name="registers">The registers of the hit.</param>
    public string? ReadText(ref PtRegs registers)
    {
        Fetch(ref registers);
        ProbeArgument argument = _program.Arguments[0];
        return argument.Count == 0 && _buffer.IsFaulted(0) ? null
            : argument.Count == 0 && argument.Type.Kind == FetchValueKind.Text ? Encoding.UTF8.GetString(_buffer.Text(0))
            : _buffer.Format(_environment)[(argument.Name.Length + 1)..];
    }

    private void Fetch(ref PtRegs registers)
    {
        fixed (PtRegs* frame = &registers)
        {
            _program.Execute(frame, _environment, _buffer);
        }
    }
}
