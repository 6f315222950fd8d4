namespace KprobeTrace.Probes;

/// <summary>The kernel's error numbers that definitions answer with, positive.</summary>
public enum ProbeErrno
{
    /// <summary>ENOENT: the symbol or event does not exist.</summary>
    NoEntry = 2,

    /// <summary>E2BIG: the record would be too large.</summary>
    TooBig = 7,

    /// <summary>EEXIST: it is there already.</summary>
    Exists = 17,

    /// <summary>EINVAL: malformed.</summary>
    Invalid = 22,

    /// <summary>EILSEQ: not an instruction boundary.</summary>
    IllegalSequence = 84,

    /// <summary>EADDRNOTAVAIL: the symbol is ambiguous.</summary>
    AddressNotAvailable = 99,
}
