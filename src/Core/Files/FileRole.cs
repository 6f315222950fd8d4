namespace KprobeTrace.Files;

/// <summary>What a file was given as.</summary>
internal enum FileRole
{
    /// <summary>The kernel image.</summary>
    Image,

    /// <summary>The initial RAM disk.</summary>
    Initrd,

    /// <summary>The file of further symbols.</summary>
    Symbols,

    /// <summary>A file of probe definitions.</summary>
    Probes,

    /// <summary>A trace or a database.</summary>
    Trace,
}
