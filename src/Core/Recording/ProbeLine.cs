namespace KprobeTrace.Recording;

/// <summary>A probe definition and where it was written.</summary>
/// <param name="Definition">The definition, without a comment.</param>
/// <param name="File">The file, null when it was in none.</param>
/// <param name="Number">The line of the file, from 1.</param>
public readonly record struct ProbeLine(string Definition, string? File = null, int Number = 0)
{
    /// <summary><c>FILE:LINE</c>; empty when it was in no file.</summary>
    public string Source => File is null ? "" : FormattableString.Invariant($"{File}:{Number}");
}
