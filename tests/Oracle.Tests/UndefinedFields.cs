namespace KprobeTrace.Tests.Oracle;

/// <summary>The undefined part of an outcome.</summary>
/// <param name="Flags">Bits of RFLAGS.</param>
/// <param name="X87Status">Bits of the x87 status word.</param>
/// <param name="Operand0">Whether the destination operand is undefined.</param>
/// <param name="X87">Whether x87 stack top, tags and registers are.</param>
/// <param name="Memory">Whether stored memory is.</param>
/// <param name="FaultAddress">Whether it is open which byte of the operand a page fault is reported for.</param>
internal readonly record struct UndefinedFields(
    ulong Flags, ushort X87Status, bool Operand0, bool X87, bool Memory, bool FaultAddress);
