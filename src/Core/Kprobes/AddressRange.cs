namespace KprobeTrace.Kprobes;

/// <summary>A half-open range of addresses with the symbol it belongs to.</summary>
/// <param name="Start">First byte.</param>
/// <param name="End">First byte after it.</param>
/// <param name="Name">The symbol at its start.</param>
public readonly record struct AddressRange(ulong Start, ulong End, string Name);
