using KprobeTrace.Cpu;

namespace KprobeTrace.Kprobes;

/// <summary>The calls the CPU makes when it meets a breakpoint of the fetch overlay in kernel mode.</summary>
/// <remarks>
/// The frame handed in is the CPU's state at that moment. The CPU writes it back after every call that returns. Calls
/// arrive on the thread that runs the machine, one at a time; from <see cref="OnBreakpoint"/> with
/// <see cref="BreakpointAction.StepAndReport"/> to <see cref="OnStepped"/> or <see cref="OnStepFault"/> no interrupt
/// is delivered to the guest.
/// </remarks>
public unsafe interface IBreakpointHooks
{
    /// <summary>
    /// A fetch reached an armed address. The frame's <c>Ip</c> is the address plus one, as after an int3.
    /// </summary>
    /// <param name="slot">The number given to <see cref="IFetchOverlay.Arm"/>.</param>
    /// <param name="registers">The frame; edits count.</param>
    public BreakpointAction OnBreakpoint(int slot, PtRegs* registers);

    /// <summary>The stepped instruction completed; the frame is the state after it.</summary>
    public void OnStepped(int slot, PtRegs* registers);

    /// <summary>The stepped instruction raised a fault; the frame is the state before it, <c>Ip</c> the address.</summary>
    /// <returns>True: handled, continue at the frame's <c>Ip</c>. False: the guest gets the fault.</returns>
    public bool OnStepFault(int slot, PtRegs* registers, int vector, uint errorCode, ulong cr2);

    /// <summary>The guest wrote text on a page that holds armed addresses.</summary>
    /// <param name="address">Linear address of the first byte written, in the kernel's mapping.</param>
    /// <param name="length">Bytes written.</param>
    public void OnTextWritten(ulong address, int length);
}
