namespace KprobeTrace.Kprobes;

/// <summary>What the CPU does after a breakpoint of the fetch overlay was dispatched.</summary>
public enum BreakpointAction
{
    /// <summary>Nobody claims it although the overlay still holds it: the guest gets its #BP.</summary>
    Deliver,

    /// <summary>The CPU executes the guest's own instruction at the breakpoint's address and goes on.</summary>
    Step,

    /// <summary>As <see cref="Step"/>, and a fault of the instruction goes to <see cref="IBreakpointHooks.OnStepFault"/>.</summary>
    StepAndReportFault,

    /// <summary>As <see cref="StepAndReportFault"/>, and completion goes to <see cref="IBreakpointHooks.OnStepped"/>.</summary>
    StepAndReport,

    /// <summary>A handler took over: the CPU continues at the frame's <c>Ip</c> without executing the instruction.</summary>
    Resume,
}
