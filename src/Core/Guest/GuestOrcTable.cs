namespace KprobeTrace.Guest;

/// <summary>Where a module's ORC unwind tables stand in guest memory.</summary>
/// <param name="Ips">Address of the instruction offsets, 4 bytes each, relative to themselves.</param>
/// <param name="Entries">Address of the entries, 6 bytes each.</param>
/// <param name="Count">Number of entries.</param>
internal readonly record struct GuestOrcTable(ulong Ips, ulong Entries, uint Count);
