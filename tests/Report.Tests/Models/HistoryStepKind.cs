namespace KprobeTrace.Tests.Report.Models;

/// <summary>What happens in a step of a history.</summary>
internal enum HistoryStepKind
{
    /// <summary>A task calls a function: the probes at its entry are hit.</summary>
    Call,

    /// <summary>A task returns from the function that it is in: return probes are hit.</summary>
    Return,

    /// <summary>A task leaves the function that it is in without a word: no free instance, a jump past it.</summary>
    Lose,

    /// <summary>A task hits a probe inside of a function.</summary>
    Hit,

    /// <summary>The guest prints a line.</summary>
    Print,

    /// <summary>The guest's code changes.</summary>
    Poke,

    /// <summary>The recorder has something to say.</summary>
    Note,
}
