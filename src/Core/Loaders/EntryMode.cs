namespace KprobeTrace.Loaders;

/// <summary>The processor mode an image is entered in; the value is the width of its code segment in bits.</summary>
public enum EntryMode
{
    /// <summary>Real-address mode.</summary>
    Real16 = 16,

    /// <summary>Protected mode with flat 4 GiB segments and paging off.</summary>
    Protected32 = 32,

    /// <summary>Long mode with 4-level paging on.</summary>
    Long64 = 64,
}
