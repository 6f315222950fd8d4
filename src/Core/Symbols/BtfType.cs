namespace KprobeTrace.Symbols;

/// <summary>The fixed part of one BTF type.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Kind">Its kind.</param>
/// <param name="Name">Its name; empty when anonymous.</param>
/// <param name="Size">Size in bytes where the type itself states one, else 0; <see cref="Btf.SizeOf"/> follows references.</param>
/// <param name="Target">Number of the type it refers to: pointee, element, qualified type, prototype, return type.</param>
/// <param name="Count">Members of a structure, parameters of a prototype, elements of an array.</param>
public readonly record struct BtfType(int Id, BtfKind Kind, string Name, uint Size, int Target, uint Count);
