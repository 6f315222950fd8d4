namespace KprobeTrace.Loaders;

/// <summary>A segment register and its hidden part as an image is entered with.</summary>
/// <param name="Selector">The visible selector.</param>
/// <param name="Base">Linear base address.</param>
/// <param name="Limit">Last valid offset, granularity already applied.</param>
/// <param name="Attributes">
/// Bits 40 to 55 of the descriptor: type, S, DPL, P in bits 0 to 7, AVL, L, D/B, G in bits 12 to 15; bits 8 to 11 are 0.
/// </param>
internal readonly record struct InitialSegment(ushort Selector, ulong Base, uint Limit, ushort Attributes);
