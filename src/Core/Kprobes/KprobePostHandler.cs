using KprobeTrace.Cpu;

namespace KprobeTrace.Kprobes;

/// <summary>Runs after the probed instruction completed.</summary>
/// <param name="probe">The caller's own probe.</param>
/// <param name="registers">The frame after the instruction; edits take effect.</param>
/// <param name="flags">Always 0.</param>
public delegate void KprobePostHandler(Kprobe probe, ref PtRegs registers, ulong flags);
