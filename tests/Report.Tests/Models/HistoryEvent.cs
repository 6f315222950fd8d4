using KprobeTrace.Tracing;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>An event as it was given to the trace writer.</summary>
internal sealed record HistoryEvent
{
    /// <summary>Its number, 1 for the first.</summary>
    public required ulong Seq { get; init; }

    /// <summary>Its kind.</summary>
    public required TraceEventKind Kind { get; init; }

    /// <summary>Its probe.</summary>
    public required HistoryProbe Probe { get; init; }

    /// <summary>Its task; null where the guest has none.</summary>
    public required HistoryTask? Task { get; init; }

    /// <summary>Its processor.</summary>
    public required ushort Cpu { get; init; }

    /// <summary>Virtual time in nanoseconds.</summary>
    public required ulong TimeNs { get; init; }

    /// <summary>Instructions retired before it.</summary>
    public required ulong Instructions { get; init; }

    /// <summary>Where it was called from or returned to; 0 where that is not known.</summary>
    public ulong Caller { get; init; }

    /// <summary>The event that it completes, as the trace says; 0 for none.</summary>
    public ulong EntrySeq { get; init; }

    /// <summary>When the call of a return was entered, as the trace says; 0 where it does not.</summary>
    public ulong EntryTimeNs { get; init; }

    /// <summary>The 19 registers in the order of <see cref="TraceRegisters.Names"/>; null where none were recorded.</summary>
    public IReadOnlyList<ulong>? Registers { get; init; }

    /// <summary>
    /// The fetched arguments: null for what could not be read, <see cref="long"/> or <see cref="ulong"/>, <see cref="string"/>,
    /// an array of bytes for a text that is no UTF-8, an array of values for an array. No list where nothing was fetched.
    /// </summary>
    public IReadOnlyList<object?>? Arguments { get; init; }

    /// <summary>The call stack, innermost first; empty where none was taken.</summary>
    public IReadOnlyList<ulong> Stack { get; init; } = [];

    /// <summary>Vector of a fault.</summary>
    public byte Vector { get; init; }

    /// <summary>Error code of a fault.</summary>
    public uint ErrorCode { get; init; }

    /// <summary>CR2 of a page fault.</summary>
    public ulong Cr2 { get; init; }

    /// <summary>True where a fault handler of the host took the fault.</summary>
    public bool IsHandled { get; init; }

    /// <summary>True where something of it was cut short.</summary>
    public bool IsTruncated { get; init; }

    /// <summary>The kind as answers name it.</summary>
    internal string KindName => Kind switch
    {
        TraceEventKind.Pre => "pre",
        TraceEventKind.Post => "post",
        TraceEventKind.Fault => "fault",
        _ => "ret",
    };
}
