namespace KprobeTrace.Cpu;

/// <summary>How a processor goes on after a breakpoint of the fetch overlay.</summary>
internal enum BreakpointAction
{
    /// <summary>Execute the original instruction; say nothing afterwards unless it faults.</summary>
    Step,

    /// <summary>Execute the original instruction, then call <see cref="IBreakpointHandler.OnStepped"/>.</summary>
    StepThenNotify,

    /// <summary>Go on at RIP as the handler left it, without executing the instruction.</summary>
    Resume,

    /// <summary>Deliver #BP to the guest as if it had executed an INT3 of its own.</summary>
    Deliver,
}
