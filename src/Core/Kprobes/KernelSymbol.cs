namespace KprobeTrace.Kprobes;

/// <summary>The function or object that holds an address.</summary>
/// <param name="Name">The symbol's name.</param>
/// <param name="Address">Its first byte.</param>
/// <param name="Size">Bytes up to the next symbol.</param>
/// <param name="Module">The module's name, null for the kernel itself.</param>
public readonly record struct KernelSymbol(string Name, ulong Address, ulong Size, string? Module);
