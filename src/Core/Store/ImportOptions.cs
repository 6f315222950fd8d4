namespace KprobeTrace.Store;

/// <summary>How a trace is imported.</summary>
public sealed record ImportOptions
{
    /// <summary>Told how much of the trace is read, from 0 to 1; called a few times a chunk at most.</summary>
    public Action<double>? Progress { get; init; }

    /// <summary>Ends the import; the database is then as it was before.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Addresses whose names are remembered at most; beyond it only some sharing of rows is lost.</summary>
    internal int PlacesRemembered { get; init; } = PlaceTable.MaxRemembered;

    /// <summary>Counts by probe, kind and task name that are held at once; beyond it they go to the database in parts, and four times that in all.</summary>
    internal int TalliesRemembered { get; init; } = 1 << 19;

    /// <summary>Probes that a trace may define.</summary>
    internal int MostProbes { get; init; } = 1 << 20;
}
