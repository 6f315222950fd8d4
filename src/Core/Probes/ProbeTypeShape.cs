namespace KprobeTrace.Probes;

/// <summary>What is known of a type.</summary>
/// <param name="Class">What it is.</param>
/// <param name="Size">Bytes of a value.</param>
/// <param name="IsSigned">True for signed numbers.</param>
/// <param name="Element">What a pointer points to, what an array is made of, the structure itself; 0 for void.</param>
/// <param name="Count">The number of array elements.</param>
/// <param name="IsCharacter">True for one-byte numbers that are characters.</param>
internal readonly record struct ProbeTypeShape(
    ProbeTypeClass Class, int Size, bool IsSigned = false, int Element = 0, int Count = 0, bool IsCharacter = false);
