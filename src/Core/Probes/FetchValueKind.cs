namespace KprobeTrace.Probes;

/// <summary>How a fetched argument is stored and shown.</summary>
internal enum FetchValueKind : byte
{
    /// <summary>An unsigned integer, shown in decimal.</summary>
    UnsignedNumber,

    /// <summary>A signed integer, shown in decimal.</summary>
    SignedNumber,

    /// <summary>An unsigned integer, shown as <c>0x</c> and lower-case hexadecimal digits.</summary>
    Hex,

    /// <summary>An address, shown as the symbol that holds it.</summary>
    Symbol,

    /// <summary>A sequence of bytes, shown in double quotes.</summary>
    Text,
}
