namespace KprobeTrace.Kprobes;

/// <summary>A fault that a probed instruction raised.</summary>
/// <param name="Vector">The vector, 0 to 31.</param>
/// <param name="ErrorCode">The error code, 0 for vectors without one.</param>
/// <param name="Cr2">The address of a page fault, else what CR2 held.</param>
/// <param name="Handled">True when a fault handler took it and the guest never sees it.</param>
public readonly record struct KprobeFault(int Vector, uint ErrorCode, ulong Cr2, bool Handled);
