namespace KprobeTrace.Tracing;

/// <summary>What a MessagePack value is, as far as its type byte tells.</summary>
internal enum MessagePackKind
{
    /// <summary>No value of a trace: an extension type, or the byte that stands for nothing.</summary>
    None,

    /// <summary>Nil.</summary>
    Nil,

    /// <summary>True or false.</summary>
    Boolean,

    /// <summary>An integer, signed or not.</summary>
    Integer,

    /// <summary>A floating-point number of 32 or 64 bits.</summary>
    Real,

    /// <summary>A str or a bin.</summary>
    Bytes,

    /// <summary>An array.</summary>
    Array,

    /// <summary>A map.</summary>
    Map,
}
