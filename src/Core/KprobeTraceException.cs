namespace KprobeTrace;

/// <summary>
/// An expected failure of the user's input or environment: the tools print its message as one line and exit with 1.
/// </summary>
/// <remarks>The message names what is wrong, where (file, line, column where known) and what to do about it.</remarks>
public class KprobeTraceException : Exception
{
    /// <summary>Creates the error with the line a user will read.</summary>
    public KprobeTraceException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the error with the line a user will read and the failure that led to it.</summary>
    public KprobeTraceException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
