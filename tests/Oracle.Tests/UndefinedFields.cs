namespace KprobeTrace.Tests.Oracle;

/// <summary>The undefined part of an outcome.</summary>
/// <param name="Flags">Bits of RFLAGS.</param>
/// <param name="X87Status">Bits of the x87 status word.</param>
/// <param name="Operand0">Whether the destination operand is undefined.</param>
internal readonly record struct UndefinedFields(ulong Flags, ushort X87Status, bool Operand0);
