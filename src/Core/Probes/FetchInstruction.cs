namespace KprobeTrace.Probes;

/// <summary>One step of a fetch-argument program.</summary>
/// <param name="Operation">What the step does.</param>
/// <param name="Size">Bytes loaded or stored.</param>
/// <param name="BitLeft">Bits a stored value is shifted up by, to cut what lies above a bit field.</param>
/// <param name="BitRight">Bits it is then shifted down by.</param>
/// <param name="Parameter">Register index, constant, offset or text number, by operation.</param>
/// <param name="IsSigned">True when a stored value is sign-extended.</param>
/// <param name="HasBitfield">True when the two shifts apply.</param>
/// <param name="Text">A constant text, else null.</param>
/// <param name="Symbol">The data symbol that a constant is the address of, else null.</param>
internal readonly record struct FetchInstruction(
    FetchOperation Operation,
    byte Size = 0,
    byte BitLeft = 0,
    byte BitRight = 0,
    long Parameter = 0,
    bool IsSigned = false,
    bool HasBitfield = false,
    byte[]? Text = null,
    DataSymbol? Symbol = null)
{
    /// <summary>True for the last step of an argument.</summary>
    public bool IsStore => Operation >= FetchOperation.StoreValue;
}
