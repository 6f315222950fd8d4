using KprobeTrace.Machine;

namespace KprobeTrace.Recording;

/// <summary>The words for how a run ended, as traces and histories have them.</summary>
internal static class RunEnding
{
    /// <summary>The word for a machine's state and, where the host stopped it, for the cause.</summary>
    public static string Name(PowerState state, StopCause cause) => state switch
    {
        PowerState.PoweredOff => "poweroff",
        PowerState.Halted => "halt",
        PowerState.Reset => "reset",
        PowerState.TripleFault => "triple-fault",
        PowerState.Stuck => "stuck",
        PowerState.Exited => "exit",
        _ => cause switch
        {
            StopCause.MaxInstructions => "max-instructions",
            StopCause.MaxEvents => "max-events",
            StopCause.Timeout => "timeout",
            _ => "interrupted",
        },
    };

    /// <summary>Whether the word names a limit that the user set.</summary>
    public static bool IsLimit(string ended) => ended is "max-instructions" or "max-events" or "timeout";
}
