using KprobeTrace.Cpu;

namespace KprobeTrace.Kprobes;

/// <summary>Runs before the probed instruction.</summary>
/// <param name="probe">The caller's own probe.</param>
/// <param name="registers">The frame, <c>Ip</c> being the address plus one. Edits are live; see the return value.</param>
/// <returns>
/// 0: the instruction is executed, edits of <c>Ip</c>, TF and IF are lost. Anything else: it is not, no later handler of
/// this hit runs, the guest continues at <c>Ip</c>.
/// </returns>
public delegate int KprobePreHandler(Kprobe probe, ref PtRegs registers);
