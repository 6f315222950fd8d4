namespace KprobeTrace;

/// <summary>A failed access whose message is already the sentence that a user will read.</summary>
internal sealed class PlainIOException : IOException
{
    /// <summary>Creates the error.</summary>
    /// <param name="message">The sentence.</param>
    /// <param name="error">The system's number of it.</param>
    public PlainIOException(string message, int error)
        : base(message, error)
    {
    }
}
