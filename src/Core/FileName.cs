namespace KprobeTrace;

/// <summary>What can be no name of a file on any host, told before the host's own interface calls it a mistake of ours.</summary>
internal static class FileName
{
    /// <summary>Requires a name.</summary>
    /// <param name="name">The name a user gave.</param>
    /// <param name="what">What the file is, for the message.</param>
    /// <exception cref="KprobeTraceException">It is empty or holds a NUL.</exception>
    public static void Require(string name, string what)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length == 0 || name.Contains('\0', StringComparison.Ordinal))
        {
            throw new KprobeTraceException(
                name.Length == 0 ? $"the name of the {what} is empty; name a file" : $"the name of the {what} holds a NUL; name a file");
        }
    }
}
