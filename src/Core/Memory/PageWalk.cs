namespace KprobeTrace.Memory;

/// <summary>What a page walk found: a translation with its rights, or a page fault.</summary>
internal struct PageWalk
{
    /// <summary>Physical address of the byte asked for.</summary>
    public ulong Physical;

    /// <summary>False when the access faults; <see cref="ErrorCode"/> then says why.</summary>
    public bool Ok;

    /// <summary>Error code of the page fault (Intel SDM vol. 3A §4.7).</summary>
    public uint ErrorCode;

    /// <summary>Stores need no further walk: the access mode may write and the dirty bit is set.</summary>
    public bool Writable;

    /// <summary>The translation is global.</summary>
    public bool Global;

    /// <summary>Bytes the leaf entry maps: 4 KiB, 2 MiB or 1 GiB.</summary>
    public ulong PageSize;
}
