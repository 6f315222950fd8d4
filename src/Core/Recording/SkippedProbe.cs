using KprobeTrace.Probes;

namespace KprobeTrace.Recording;

/// <summary>A definition that was refused and left out.</summary>
/// <param name="Line">The definition.</param>
/// <param name="Error">Why.</param>
public sealed record SkippedProbe(ProbeLine Line, ProbeError Error)
{
    /// <summary>The definition with its file and line, where it has one.</summary>
    public string Place => Line.Source.Length > 0 ? $"{Line.Source}: {Error.Command}" : Error.Command;
}
