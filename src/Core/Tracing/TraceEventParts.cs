namespace KprobeTrace.Tracing;

/// <summary>Which optional parts of a <see cref="TraceEvent"/> hold something.</summary>
/// <remarks>The numbers are part of the trace format.</remarks>
[Flags]
internal enum TraceEventParts : byte
{
    /// <summary>No optional part.</summary>
    None = 0,

    /// <summary><see cref="TraceEvent.Registers"/> is recorded.</summary>
    Registers = 1,

    /// <summary><see cref="TraceEvent.Pid"/> and <see cref="TraceEvent.Comm"/> are known.</summary>
    Task = 2,

    /// <summary>A fault handler took the fault; the guest never saw it.</summary>
    Handled = 4,

    /// <summary>An argument, a string or the stack was cut short; what is recorded is its beginning.</summary>
    Truncated = 8,

    /// <summary>The event has an argument array. The writer sets it; what a caller puts here is ignored.</summary>
    Arguments = 16,
}
