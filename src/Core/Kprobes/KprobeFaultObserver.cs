using KprobeTrace.Cpu;

namespace KprobeTrace.Kprobes;

/// <summary>Is told of a fault of the probed instruction after the fault handlers were asked.</summary>
/// <param name="probe">The caller's own probe.</param>
/// <param name="registers">The frame as the guest or the handler's caller goes on with it.</param>
/// <param name="fault">What happened.</param>
public delegate void KprobeFaultObserver(Kprobe probe, ref PtRegs registers, in KprobeFault fault);
