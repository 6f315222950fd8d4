namespace KprobeTrace.Cpu;

/// <summary>Finds where a linear address lies in physical memory by other page tables than those that CR3 names; false where they do not map it.</summary>
internal delegate bool AddressTranslation(ulong address, out ulong physical);
