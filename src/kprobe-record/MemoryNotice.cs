namespace KprobeTrace.Record;

/// <summary>Says that a guest may need more memory than the host lets this process have.</summary>
/// <remarks>
/// A container's limit counts what the guest has touched, not what was mapped for it, so the recording begins; when the limit is met,
/// the host kills the process, which can say nothing any more.
/// </remarks>
internal static class MemoryNotice
{
    /// <summary>One line for the user, or null when there is nothing to say.</summary>
    /// <param name="guest">Bytes of the guest's memory.</param>
    public static string? For(ulong guest)
    {
        // The runtime knows a container's limit, of which it allows itself a part, and otherwise the host's memory.
        ulong available = (ulong)GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return guest <= available
            ? null
            : $"warning: the guest has {guest >> 20} MiB and this process may use some {available >> 20}; if the guest touches more, the host kills it: "
                + "give it less with --memory, or raise the limit (the container's)";
    }
}
