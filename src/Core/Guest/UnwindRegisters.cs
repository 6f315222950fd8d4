namespace KprobeTrace.Guest;

/// <summary>The registers a stack walk starts from.</summary>
/// <param name="Ip">Address of the instruction that is about to run (for a hit, the probed address itself).</param>
/// <param name="Sp">Stack pointer.</param>
/// <param name="Bp">Frame pointer register.</param>
/// <param name="Dx">RDX, which some entry code keeps the frame in.</param>
/// <param name="Di">RDI, likewise.</param>
/// <param name="R10">R10, likewise.</param>
/// <param name="R13">R13, likewise.</param>
internal readonly record struct UnwindRegisters(
    ulong Ip, ulong Sp, ulong Bp, ulong Dx = 0, ulong Di = 0, ulong R10 = 0, ulong R13 = 0);
