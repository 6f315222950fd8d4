namespace KprobeTrace.Tracing;

/// <summary>How an argument's values are printed.</summary>
internal enum ArgumentStyle
{
    /// <summary>Signed decimal.</summary>
    Signed,

    /// <summary>Unsigned decimal.</summary>
    Unsigned,

    /// <summary>Hexadecimal with <c>0x</c>.</summary>
    Hex,

    /// <summary>An address, as symbol, offset and size.</summary>
    Symbol,

    /// <summary>A text in quotes.</summary>
    Text,

    /// <summary>A character in single quotes.</summary>
    Character,
}
