namespace KprobeTrace.Kprobes;

/// <summary>What the CPU does after a breakpoint of the fetch overlay was dispatched.</summary>
public enum BreakpointAction
{
    /// <summary>Nobody claims it although the overlay still holds it: the guest gets its #BP.</summary>
    Deliver,

    /// <summary>The CPU executes the guest's own instruction at the breakpoint's address and goes on.</summary>
    Step,

    /// <summary>As <see cref="Step"/>, and reports completion or fault to <see cref="IBreakpointHooks"/>.</summary>
    StepAndReport,

    /// <summary>A handler took over: the CPU continues at the frame's <c>Ip</c> without executing the instruction.</summary>
    Resume,
}
