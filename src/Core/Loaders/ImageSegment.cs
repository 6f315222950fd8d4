namespace KprobeTrace.Loaders;

/// <summary>Bytes that stand in guest RAM before the first instruction.</summary>
/// <param name="Purpose">What the bytes are, for messages: <c>kernel</c>, <c>initrd</c>, <c>page tables</c> …</param>
/// <param name="PhysicalAddress">Guest physical address of the first byte.</param>
/// <param name="Bytes">The bytes to write.</param>
/// <param name="MemoryLength">
/// Bytes the segment occupies in RAM; what exceeds <paramref name="Bytes"/> is zero.
/// </param>
internal sealed record ImageSegment(
    string Purpose, ulong PhysicalAddress, ReadOnlyMemory<byte> Bytes, ulong MemoryLength)
{
    /// <summary>Gets the guest physical address behind the last byte.</summary>
    public ulong End => PhysicalAddress + MemoryLength;
}
