namespace KprobeTrace.Export;

/// <summary>What is exported and how.</summary>
public sealed record ExportOptions
{
    /// <summary>The run, 0 for all.</summary>
    public long Run { get; init; }

    /// <summary>The view for csv and jsonl.</summary>
    public string View { get; init; } = "events";

    /// <summary>Told how much is written, from 0 to 1.</summary>
    public Action<double>? Progress { get; init; }

    /// <summary>Ends the export; what was written is removed.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Takes what would be a file, for the path <c>-</c>.</summary>
    public Stream? StandardOutput { get; init; }

    /// <summary>The same for one of several parts that are written one after the other.</summary>
    internal ExportOptions Part(int index, int count) =>
        this with { Progress = Progress is { } report ? done => report((index + done) / count) : null };
}
