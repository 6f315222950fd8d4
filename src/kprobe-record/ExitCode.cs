namespace KprobeTrace.Record;

/// <summary>Exit statuses of kprobe-record.</summary>
internal enum ExitCode
{
    /// <summary>The guest ended well, or was interrupted as one who watches it may; the trace is complete.</summary>
    Success = 0,

    /// <summary>An error of ours or of the input.</summary>
    Failure = 1,

    /// <summary>The command line is wrong.</summary>
    Usage = 2,

    /// <summary>The guest crashed, is stuck, or exited with another value than 0; the trace is complete.</summary>
    GuestFailed = 3,

    /// <summary>A limit ended the run; the trace is complete.</summary>
    LimitReached = 4,
}
