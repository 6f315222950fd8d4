namespace KprobeTrace.Files;

/// <summary>A kind of file as an error message names it.</summary>
/// <param name="Family">What it is good for.</param>
/// <param name="Name">What it is, with its article: <c>a gzip-compressed file</c>.</param>
/// <param name="Remedy">What to do where a kernel image was wanted; <c>FILE</c> in it stands for the file as a shell takes it.</param>
internal sealed record FileKind(FileFamily Family, string Name, string Remedy)
{
    private bool IsToBeUnpacked => Family is FileFamily.Compressed or FileFamily.Packed or FileFamily.Disk or FileFamily.FileSystem;

    /// <summary>The error that says what a file is, and what to do instead of giving it as <paramref name="role"/>.</summary>
    public KprobeTraceException Refuse(string file, FileRole role) =>
        new($"{file}: it is {Name}; {RemedyFor(role).Replace("FILE", ShellWord.Of(file), StringComparison.Ordinal)}");

    private string RemedyFor(FileRole role) => role switch
    {
        FileRole.Image => Remedy,
        _ when role != FileRole.Initrd && IsToBeUnpacked => Remedy,
        FileRole.Initrd => "--initrd takes a cpio archive, as it is or packed as Linux unpacks it",
        FileRole.Symbols => Family == FileFamily.Kernel
            ? "its symbols are read where it is the image; --symbols takes a System.map or an ELF file with symbols"
            : "--symbols takes a System.map or an x86-64 ELF file with symbols",
        FileRole.Probes => "--probe-file takes text with one definition a line",
        _ when Family == FileFamily.Kernel => "kprobe-record runs it and writes the trace that kprobe-report reads",
        _ when Family == FileFamily.Database => "give the trace itself; of a history, its summary says what was damaged",
        _ => "kprobe-report reads traces of kprobe-record and its own databases",
    };
}
