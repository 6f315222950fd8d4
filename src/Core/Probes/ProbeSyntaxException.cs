namespace KprobeTrace.Probes;

/// <summary>A probe definition or filter that was refused; the message shows it with a caret under the offending column.</summary>
internal sealed class ProbeSyntaxException : KprobeTraceException
{
    /// <summary>Creates the error of a definition.</summary>
    /// <param name="error">What is wrong.</param>
    /// <param name="source">Where the definition was written, as <c>FILE:LINE</c>; empty when in no file.</param>
    public ProbeSyntaxException(ProbeError error, string source = "")
        : base($"{source}{(source.Length > 0 ? ": " : "")}bad probe definition\n{error}")
    {
        Error = error;
    }

    /// <summary>Creates the error of a filter.</summary>
    public ProbeSyntaxException(FilterError error)
        : base("bad filter\n" + error)
    {
        FilterError = error;
    }

    /// <summary>The definition's error, null for a filter.</summary>
    public ProbeError? Error { get; }

    /// <summary>The filter's error, null for a definition.</summary>
    public FilterError? FilterError { get; }
}
