namespace KprobeTrace.Cpu.State;

/// <summary>Where a repeated instruction goes on, how many had retired before it, and whether its completion is to be told (1) or not (0).</summary>
internal readonly record struct StoppedRepeat(ulong Rip, ulong Rsp, ulong Rcx, ulong Rsi, ulong Rdi, long Retired, ulong Notifies);
