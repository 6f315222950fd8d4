using KprobeTrace.Loaders;

namespace KprobeTrace.Session;

/// <summary>Which guest is opened, and how.</summary>
public record GuestOptions
{
    /// <summary>The image's name: a path, or a label when <see cref="ImageBytes"/> is given.</summary>
    public required string Image { get; init; }

    /// <summary>The image itself when it is not a file.</summary>
    public ReadOnlyMemory<byte>? ImageBytes { get; init; }

    /// <summary>How the image is loaded: memory, command line, initramfs.</summary>
    public ImageLoadOptions Load { get; init; } = new();

    /// <summary>System.map or ELF whose symbols are added to the image's own; null for none.</summary>
    public string? SymbolFile { get; init; }

    /// <summary>Processors of the machine. One, as long as nothing starts another: tests put more into a state themselves.</summary>
    internal int ProcessorCount { get; init; } = 1;

    /// <summary>
    /// A file that <see cref="GuestSession.Save"/> wrote and the guest goes on from; null to start it. What <see cref="Load"/> leaves open is
    /// as it was then, and what it says must be the same.
    /// </summary>
    public string? From { get; init; }

    /// <summary>Probe also what Linux refuses.</summary>
    public bool AllowBlacklisted { get; init; }
}
