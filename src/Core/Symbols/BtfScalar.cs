namespace KprobeTrace.Symbols;

/// <summary>What a fetch of one value of a type needs to know, qualifiers and type definitions resolved.</summary>
/// <param name="Kind">Kind of the resolved type.</param>
/// <param name="Size">Size in bytes.</param>
/// <param name="IsSigned">Whether the value is sign-extended.</param>
/// <param name="IsCharPointer">Whether the type points to characters, as C strings do.</param>
public readonly record struct BtfScalar(BtfKind Kind, uint Size, bool IsSigned, bool IsCharPointer);
