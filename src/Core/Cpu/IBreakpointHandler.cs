namespace KprobeTrace.Cpu;

/// <summary>What stands behind the breakpoints of the fetch overlay.</summary>
internal interface IBreakpointHandler
{
    /// <summary>An armed instruction is about to execute; the processor's state is exact and RIP is its address.</summary>
    /// <param name="cpu">The processor, whose state may be read and changed.</param>
    /// <param name="handle">What <see cref="IFetchOverlay.Find"/> gave.</param>
    public BreakpointAction OnBreakpoint(Processor cpu, int handle);

    /// <summary>The instruction was executed after <see cref="BreakpointAction.StepThenNotify"/>; RIP is where the guest goes on.</summary>
    public void OnStepped(Processor cpu, int handle);

    /// <summary>The instruction raised a fault instead; nothing has changed and RIP is its address.</summary>
    /// <returns>True when the fault is handled and the guest goes on at RIP; false to deliver it.</returns>
    public bool OnStepFault(Processor cpu, int handle, byte vector, uint errorCode, ulong faultAddress);
}
