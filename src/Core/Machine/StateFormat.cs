namespace KprobeTrace.Machine;

/// <summary>Numbers of the format of saved states, docs/saved-state.md.</summary>
internal static class StateFormat
{
    /// <summary>The version that is written, and the only one that is read.</summary>
    public const uint Version = 4;

    /// <summary>Bytes of the header: magic, version, bytes of RAM, number of processors.</summary>
    public const int HeaderSize = 24;

    /// <summary>Bytes of a record's head: name and length.</summary>
    public const int RecordHeadSize = NameSize + 4;

    /// <summary>Bytes of a record's name, the rest of which is zero.</summary>
    public const int NameSize = 12;

    /// <summary>Most bytes of a record that is not RAM: a serial port's, with all the input that can wait for it, has less.</summary>
    public const int MaxPartSize = 128 << 10;

    /// <summary>Most bytes of a record of what is known of the guest: that of kprobes has every open call and every place where one returned.</summary>
    public const int MaxKnowledgeSize = 64 << 20;

    /// <summary>Most pages in a record of RAM.</summary>
    public const int MaxRunPages = 64;

    /// <summary>Bytes before the compressed pages of a record of RAM: first page, number of pages.</summary>
    public const int RunHeadSize = 8;

    /// <summary>The name of a record of RAM.</summary>
    public const string Ram = "ram";

    /// <summary>The name of the last record.</summary>
    public const string End = "end";

    /// <summary>What every saved state begins with.</summary>
    public static ReadOnlySpan<byte> Magic => "KPTSTATE"u8;
}
