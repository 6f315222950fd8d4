namespace KprobeTrace.Files;

/// <summary>What a file is good for, as far as this project is concerned.</summary>
internal enum FileFamily
{
    /// <summary>A kernel image that can be run.</summary>
    Kernel,

    /// <summary>A linked x86-64 ELF file that cannot be entered as it is, though its symbols may be of use.</summary>
    Executable,

    /// <summary>A kernel, program or firmware that cannot be run, for whatever reason its kind states.</summary>
    Foreign,

    /// <summary>A compressed file that Linux unpacks by itself where it is an initial RAM disk.</summary>
    Compressed,

    /// <summary>A compressed file, archive or package that has to be unpacked by the user.</summary>
    Packed,

    /// <summary>A cpio archive, which is what an initramfs is.</summary>
    Initramfs,

    /// <summary>The image of one file system.</summary>
    FileSystem,

    /// <summary>The image of a disk or of a boot medium.</summary>
    Disk,

    /// <summary>A list of symbols in the format of nm.</summary>
    SymbolList,

    /// <summary>Readable text of another kind.</summary>
    Text,

    /// <summary>A trace.</summary>
    Trace,

    /// <summary>A SQLite database.</summary>
    Database,
}
