namespace KprobeTrace.Tests.Report.Models;

/// <summary>How an event of a history is changed after it has happened.</summary>
internal enum HistoryEditKind
{
    /// <summary>It is not there.</summary>
    Remove,

    /// <summary>Its first argument has a value that no other event has.</summary>
    Argument,

    /// <summary>A register has a value that no other event has.</summary>
    Register,

    /// <summary>It and all behind it come later.</summary>
    Time,
}
