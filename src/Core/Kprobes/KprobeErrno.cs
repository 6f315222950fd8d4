namespace KprobeTrace.Kprobes;

/// <summary>The kernel's error numbers, negative as its functions return them.</summary>
internal static class KprobeErrno
{
    /// <summary>No error.</summary>
    public const int None = 0;

    /// <summary>-ENOENT: no such symbol, or text that is gone.</summary>
    public const int NoEntry = -2;

    /// <summary>-ENOMEM: more memory than is granted.</summary>
    public const int NoMemory = -12;

    /// <summary>-EINVAL: refused.</summary>
    public const int Invalid = -22;

    /// <summary>-EILSEQ: not an instruction boundary.</summary>
    public const int IllegalSequence = -84;
}
