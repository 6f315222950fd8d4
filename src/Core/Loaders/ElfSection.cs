namespace KprobeTrace.Loaders;

/// <summary>One section header of an ELF file.</summary>
/// <param name="Name">Section name.</param>
/// <param name="Type">Section type: 2 symbol table, 3 string table, 8 no bits …</param>
/// <param name="Flags">Section flags: bit 1 occupies memory, bit 2 executable.</param>
/// <param name="Address">Link address, 0 when it is not loaded.</param>
/// <param name="Offset">Offset of the bytes in the file.</param>
/// <param name="Size">Length in bytes.</param>
/// <param name="Link">Index of an associated section, such as a symbol table's strings.</param>
/// <param name="EntrySize">Size of one entry where the section is a table.</param>
internal sealed record ElfSection(
    string Name, uint Type, ulong Flags, ulong Address, ulong Offset, ulong Size, uint Link, ulong EntrySize);
