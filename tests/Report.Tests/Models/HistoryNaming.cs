namespace KprobeTrace.Tests.Report.Models;

/// <summary>What a return event of the trace says of its entry.</summary>
internal enum HistoryNaming
{
    /// <summary>Nothing: it is to be paired by task and function.</summary>
    Nothing,

    /// <summary>When it was, as kprobe-record writes it.</summary>
    Time,

    /// <summary>When it was, and which event it is.</summary>
    TimeAndEvent,
}
