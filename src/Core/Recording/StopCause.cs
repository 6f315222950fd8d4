namespace KprobeTrace.Recording;

/// <summary>Why the host ended a run.</summary>
public enum StopCause
{
    /// <summary>It did not.</summary>
    None,

    /// <summary>The user interrupted it.</summary>
    Interrupted,

    /// <summary>The time limit.</summary>
    Timeout,

    /// <summary>The limit of instructions.</summary>
    MaxInstructions,

    /// <summary>The limit of events.</summary>
    MaxEvents,
}
