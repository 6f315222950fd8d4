namespace KprobeTrace.Report;

/// <summary>Exit statuses of kprobe-report.</summary>
internal enum ExitCode
{
    /// <summary>Done.</summary>
    Success = 0,

    /// <summary>An error; for <c>diff</c> and <c>check</c> a difference or damage.</summary>
    Failure = 1,

    /// <summary>The command line is wrong.</summary>
    Usage = 2,
}
