namespace KprobeTrace.Loaders;

/// <summary>One stretch of the image where link addresses and physical addresses differ by a constant.</summary>
/// <param name="LinkAddress">Address of the first byte as the image was linked.</param>
/// <param name="PhysicalAddress">Physical address of the first byte.</param>
/// <param name="Length">Length in bytes, zero-filled part included.</param>
/// <param name="Bytes">The bytes the file holds for the stretch; shorter than <paramref name="Length"/> where zero-filled.</param>
/// <param name="Executable">Whether the program header allows execution.</param>
internal sealed record LinkRange(
    ulong LinkAddress, ulong PhysicalAddress, ulong Length, ReadOnlyMemory<byte> Bytes, bool Executable);
