namespace KprobeTrace.Loaders;

/// <summary>One loadable segment of an ELF file (a program header of type PT_LOAD).</summary>
/// <param name="Flags">Bit 0 executable, bit 1 writable, bit 2 readable.</param>
/// <param name="Offset">Offset of the bytes in the file.</param>
/// <param name="VirtualAddress">Link address.</param>
/// <param name="PhysicalAddress">Load address.</param>
/// <param name="FileSize">Bytes in the file.</param>
/// <param name="MemorySize">Bytes in memory; what exceeds <paramref name="FileSize"/> is zero.</param>
internal readonly record struct ElfProgramHeader(
    uint Flags, ulong Offset, ulong VirtualAddress, ulong PhysicalAddress, ulong FileSize, ulong MemorySize);
