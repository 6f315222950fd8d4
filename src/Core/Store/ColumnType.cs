namespace KprobeTrace.Store;

/// <summary>What a column of the history holds.</summary>
internal enum ColumnType
{
    /// <summary>A signed number.</summary>
    Number,

    /// <summary>64 bits that are no amount: an address, a register. SQLite holds them in two's complement.</summary>
    Address,

    /// <summary>Text.</summary>
    Text,

    /// <summary>Bytes.</summary>
    Bytes,
}
