namespace KprobeTrace.Tests.Report.Models;

/// <summary>What an event has besides its place and time.</summary>
[Flags]
internal enum HistoryParts
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Registers.</summary>
    Registers = 1,

    /// <summary>The address it was called from.</summary>
    Caller = 2,

    /// <summary>The call stack.</summary>
    Stack = 4,

    /// <summary>It says that something of it was cut short.</summary>
    Truncated = 8,
}
