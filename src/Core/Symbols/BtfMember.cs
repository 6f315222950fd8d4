namespace KprobeTrace.Symbols;

/// <summary>One member of a structure or union.</summary>
/// <param name="Name">Its name; empty for an anonymous structure or union.</param>
/// <param name="Type">Number of its type.</param>
/// <param name="BitOffset">Bits from the start of the structure that was asked for.</param>
/// <param name="BitSize">Width of a bit-field in bits; 0 for an ordinary member.</param>
public readonly record struct BtfMember(string Name, int Type, uint BitOffset, uint BitSize)
{
    /// <summary>Gets the byte the member starts in.</summary>
    public uint Offset => BitOffset / 8;
}
