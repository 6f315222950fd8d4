namespace KprobeTrace.Record;

/// <summary>Exit statuses of kprobe-record.</summary>
internal enum ExitCode
{
    /// <summary>The guest ended by itself, or a limit or Ctrl-C ended it; the trace is complete.</summary>
    Success = 0,

    /// <summary>An error of ours or of the input.</summary>
    Failure = 1,

    /// <summary>The command line is wrong.</summary>
    Usage = 2,

    /// <summary>The guest crashed or is stuck; the trace is complete.</summary>
    GuestCrashed = 3,
}
