namespace KprobeTrace.Probes;

/// <summary>A probe definition or filter that was refused; the message shows it with a caret under the offending column.</summary>
public sealed class ProbeSyntaxException : KprobeTraceException
{
    /// <summary>Creates the error of a definition.</summary>
    public ProbeSyntaxException(ProbeError error)
        : base("bad probe definition\n" + error)
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
