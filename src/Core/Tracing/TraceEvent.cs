using System.Runtime.InteropServices;

namespace KprobeTrace.Tracing;

/// <summary>One recorded event: the fixed part, without its arguments and its stack.</summary>
/// <remarks>
/// An unmanaged record, meant to be kept once and refilled for each event. Arguments and stack travel beside it as
/// spans (<see cref="TraceWriter.WriteEvent"/>, <see cref="TraceReader.GetArguments"/>,
/// <see cref="TraceReader.GetStack"/>).
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct TraceEvent
{
#pragma warning disable CA1051 // a plain record, filled field by field on the path of every hit
    /// <summary>Position in the trace: 1, 2, 3 … without gaps. The writer assigns it and ignores what stands here.</summary>
    public ulong Seq;

    /// <summary>Virtual time in nanoseconds.</summary>
    public ulong TimeNs;

    /// <summary>Instructions retired before the event.</summary>
    public ulong Instructions;

    /// <summary>Address of the probe (a return probe: of the probed function).</summary>
    public ulong Address;

    /// <summary>Return address of the probed function where known, else 0. For a return event: where it returned to.</summary>
    public ulong Caller;

    /// <summary>
    /// Sequence number of the event that this one completes, or 0: for a return the entry of the same call, for a
    /// post or fault event the pre event of the same execution.
    /// </summary>
    public ulong EntrySeq;

    /// <summary>Virtual time of the matching entry in nanoseconds for a return event, else 0; known even where the
    /// entry itself was not recorded.</summary>
    public ulong EntryTimeNs;

    /// <summary>CR2 of a page fault, else 0.</summary>
    public ulong Cr2;

    /// <summary>Registers; recorded when <see cref="TraceEventParts.Registers"/> is set.</summary>
    public TraceRegisters Registers;

    /// <summary>Task name; recorded when <see cref="TraceEventParts.Task"/> is set.</summary>
    public TraceComm Comm;

    /// <summary>Task id; recorded when <see cref="TraceEventParts.Task"/> is set.</summary>
    public int Pid;

    /// <summary><see cref="TraceProbe.Id"/> of the probe.</summary>
    public int ProbeId;

    /// <summary>Error code of a fault, else 0.</summary>
    public uint ErrorCode;

    /// <summary>Number of the CPU.</summary>
    public ushort Cpu;

    /// <summary>What happened.</summary>
    public TraceEventKind Kind;

    /// <summary>Vector of a fault, else 0.</summary>
    public byte Vector;

    /// <summary>Which optional parts hold something.</summary>
    public TraceEventParts Parts;
#pragma warning restore CA1051
}
