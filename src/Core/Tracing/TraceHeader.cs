namespace KprobeTrace.Tracing;

/// <summary>What a trace says of its run before the first event.</summary>
/// <remarks>Nothing in it depends on the host: no time of day, no host name, no directory.</remarks>
internal sealed record TraceHeader
{
    /// <summary>Name of the image file without its directory.</summary>
    public required string ImageName { get; init; }

    /// <summary>SHA-256 of the image file, 64 lower-case hexadecimal digits.</summary>
    public required string ImageSha256 { get; init; }

    /// <summary>SHA-256 of the initramfs, or empty.</summary>
    public string InitrdSha256 { get; init; } = "";

    /// <summary>The kernel's own version line, or empty.</summary>
    public string Kernel { get; init; } = "";

    /// <summary>Kernel command line.</summary>
    public string CommandLine { get; init; } = "";

    /// <summary>Guest RAM in bytes.</summary>
    public ulong MemoryBytes { get; init; }

    /// <summary>Number of guest CPUs.</summary>
    public int Cpus { get; init; } = 1;

    /// <summary>Program that wrote the trace, with its version.</summary>
    public string Producer { get; init; } = "";

    /// <summary>Options of the run that change its events, by name (<c>kinds</c>, <c>max-events</c> …).</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>();
}
