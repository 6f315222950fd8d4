using KprobeTrace.Loaders;

namespace KprobeTrace.Recording;

/// <summary>What a recording runs, where its probes are and when it stops.</summary>
public sealed record RecordingOptions
{
    /// <summary>The image's name: a path, or a label when <see cref="ImageBytes"/> is given.</summary>
    public required string Image { get; init; }

    /// <summary>The image itself when it is not a file.</summary>
    public ReadOnlyMemory<byte>? ImageBytes { get; init; }

    /// <summary>How the image is loaded: memory, command line, initramfs.</summary>
    public ImageLoadOptions Load { get; init; } = new();

    /// <summary>System.map or ELF whose symbols are added to the image's own; null for none.</summary>
    public string? SymbolFile { get; init; }

    /// <summary>Probe definitions, one a line of kprobe_events.</summary>
    public IReadOnlyList<string> Probes { get; init; } = [];

    /// <summary>Files with one definition a line, which follow <see cref="Probes"/>; <c>#</c> starts a comment.</summary>
    public IReadOnlyList<string> ProbeFiles { get; init; } = [];

    /// <summary>Leave out definitions that are refused instead of refusing the run.</summary>
    public bool SkipRefused { get; init; }

    /// <summary>Filters, each <c>NAME: EXPRESSION</c>.</summary>
    public IReadOnlyList<string> Filters { get; init; } = [];

    /// <summary>Which events are written.</summary>
    public EventKinds Kinds { get; init; } = EventKinds.All;

    /// <summary>The trace file.</summary>
    public string Output { get; init; } = "trace.mpk";

    /// <summary>Stop when so many instructions have retired; 0 for no limit.</summary>
    public long MaxInstructions { get; init; }

    /// <summary>Stop when so many events were written; 0 for no limit.</summary>
    public long MaxEvents { get; init; }

    /// <summary>Probe also what Linux refuses.</summary>
    public bool AllowBlacklisted { get; init; }

    /// <summary>Receives what the user should know before the guest runs, one line each; null for nothing.</summary>
    public Action<string>? Warn { get; init; }

    /// <summary>The program's name and version, for the trace's header.</summary>
    public string Producer { get; init; } = "";
}
