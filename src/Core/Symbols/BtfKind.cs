namespace KprobeTrace.Symbols;

/// <summary>Kinds of BTF types; the values are those of the format (Linux, Documentation/bpf/btf.rst).</summary>
public enum BtfKind
{
    /// <summary>Type number 0.</summary>
    Void = 0,

    /// <summary>Integer, boolean or character.</summary>
    IntegerNumber = 1,

    /// <summary>Pointer.</summary>
    PointerTo = 2,

    /// <summary>Array.</summary>
    Array = 3,

    /// <summary>Structure.</summary>
    Struct = 4,

    /// <summary>Union.</summary>
    Union = 5,

    /// <summary>Enumeration of 32-bit values.</summary>
    Enum = 6,

    /// <summary>Declaration of a structure or union that is defined nowhere.</summary>
    Forward = 7,

    /// <summary>Type definition.</summary>
    Typedef = 8,

    /// <summary>Volatile qualifier.</summary>
    Volatile = 9,

    /// <summary>Const qualifier.</summary>
    Const = 10,

    /// <summary>Restrict qualifier.</summary>
    Restrict = 11,

    /// <summary>Function.</summary>
    Function = 12,

    /// <summary>Function prototype.</summary>
    Prototype = 13,

    /// <summary>Variable.</summary>
    Variable = 14,

    /// <summary>Variables of one section.</summary>
    DataSection = 15,

    /// <summary>Floating-point number.</summary>
    FloatingPoint = 16,

    /// <summary>Tag on a declaration.</summary>
    DeclarationTag = 17,

    /// <summary>Tag on a type.</summary>
    TypeTag = 18,

    /// <summary>Enumeration of 64-bit values.</summary>
    Enum64 = 19,
}
