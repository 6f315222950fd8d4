namespace KprobeTrace.Queries;

/// <summary>Kinds of values in a query's result.</summary>
public enum QueryValueKind
{
    /// <summary>No value.</summary>
    Null,

    /// <summary>A signed 64-bit integer.</summary>
    WholeNumber,

    /// <summary>A floating-point number.</summary>
    Real,

    /// <summary>Text.</summary>
    Text,

    /// <summary>Bytes.</summary>
    Blob,
}
