namespace KprobeTrace.Queries;

/// <summary>What an <see cref="ArgumentReader"/> has come to.</summary>
internal enum ArgumentToken
{
    /// <summary>Nothing that can be read: the line ends here.</summary>
    None,

    /// <summary>An integer of 64 bits.</summary>
    Number,

    /// <summary>A text, in quotes and with its escapes.</summary>
    Text,

    /// <summary>Null: what could not be read.</summary>
    Null,

    /// <summary>Anything else that is no array: what the import never writes.</summary>
    Word,

    /// <summary>The beginning of an array.</summary>
    ArrayStart,
}
