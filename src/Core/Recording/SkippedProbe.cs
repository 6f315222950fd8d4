using KprobeTrace.Probes;

namespace KprobeTrace.Recording;

/// <summary>A definition that was refused and left out.</summary>
/// <param name="Line">The definition.</param>
/// <param name="Error">Why.</param>
public sealed record SkippedProbe(ProbeLine Line, ProbeError Error)
{
    /// <summary>The definition, shortened where it is long, with its file and line where it has one.</summary>
    public string Place => Line.Source.Length > 0 ? $"{Line.Source}: {Excerpt.Of(Error.Command)}" : Excerpt.Of(Error.Command);
}
