namespace KprobeTrace.Symbols;

/// <summary>How to reach an object from a value by member accesses.</summary>
/// <remarks>
/// Start at address <c>value + Offsets[0]</c>; for each further offset load a pointer there and add the offset. The
/// object of type <see cref="Type"/> stands at the last address.
/// </remarks>
/// <param name="Offsets">Byte offsets, one more than there are pointers to load on the way.</param>
/// <param name="Type">Number of the object's type.</param>
/// <param name="BitOffset">First bit of a bit-field, counted from the last address; 0 to 7.</param>
/// <param name="BitSize">Width of a bit-field in bits; 0 for an ordinary object.</param>
public sealed record BtfAccess(IReadOnlyList<long> Offsets, int Type, uint BitOffset, uint BitSize);
