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
}
