namespace KprobeTrace.Tests.Report.Models;

/// <summary>What follows a <c>pre</c> event.</summary>
internal enum HistoryOutcome
{
    /// <summary>Nothing that was recorded.</summary>
    None,

    /// <summary>A <c>post</c> event.</summary>
    Post,

    /// <summary>A <c>fault</c> event.</summary>
    Fault,
}
