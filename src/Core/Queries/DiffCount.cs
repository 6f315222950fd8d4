namespace KprobeTrace.Queries;

/// <summary>A number of events that differs between two runs.</summary>
/// <param name="Probe">Type and place of the probe.</param>
/// <param name="Caller">The caller, or empty.</param>
/// <param name="A">Events in the first run; null where it has no such probe or caller.</param>
/// <param name="B">Events in the second run; null where it has no such probe or caller.</param>
public sealed record DiffCount(string Probe, string Caller, long? A, long? B)
{
    /// <summary><c>gained</c>, <c>lost</c> or <c>changed</c>.</summary>
    public string Change => A is null ? "gained" : B is null ? "lost" : "changed";
}
