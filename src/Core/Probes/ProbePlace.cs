namespace KprobeTrace.Probes;

/// <summary>Where a definition puts its probe: a symbol with an offset, or a bare address.</summary>
/// <param name="Module">The module before the colon, null without one.</param>
/// <param name="Symbol">The symbol's name, null for a bare address.</param>
/// <param name="Offset">Bytes behind the symbol.</param>
/// <param name="Address">The bare address, 0 with a symbol.</param>
internal readonly record struct ProbePlace(string? Module, string? Symbol, uint Offset, ulong Address)
{
    /// <summary>The symbol with its module as written, <c>MODULE:SYMBOL</c>; null for a bare address.</summary>
    public string? QualifiedSymbol => Module is null ? Symbol : $"{Module}:{Symbol}";

    /// <summary>The place as a definition reads back: the offset in decimal, an address in hexadecimal.</summary>
    public override string ToString()
    {
        if (Symbol is null)
        {
            return $"0x{Address:x}";
        }

        return Offset == 0 ? QualifiedSymbol! : $"{QualifiedSymbol}+{ProbeNumber.Decimal(Offset)}";
    }
}
