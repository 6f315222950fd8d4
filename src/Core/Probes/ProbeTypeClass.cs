namespace KprobeTrace.Probes;

/// <summary>What a type is, as far as fetching a value of it goes.</summary>
internal enum ProbeTypeClass
{
    /// <summary>Nothing that can be fetched.</summary>
    Other,

    /// <summary>An integer, enumeration, boolean or character.</summary>
    Number,

    /// <summary>A pointer.</summary>
    Address,

    /// <summary>A structure or union.</summary>
    Structure,

    /// <summary>An array.</summary>
    Array,
}
