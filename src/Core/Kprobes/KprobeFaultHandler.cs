using KprobeTrace.Cpu;

namespace KprobeTrace.Kprobes;

/// <summary>Runs when the probed instruction raises a fault.</summary>
/// <param name="probe">The caller's own probe.</param>
/// <param name="registers">The frame before the instruction; <c>Ip</c> is its address.</param>
/// <param name="trapNumber">The fault's vector: 14 page fault, 13 general protection, and so on.</param>
/// <returns>Non-zero: handled, the guest continues at <c>Ip</c>. 0: the next probe is asked, the guest at last.</returns>
public delegate int KprobeFaultHandler(Kprobe probe, ref PtRegs registers, int trapNumber);
