namespace KprobeTrace.Loaders;

/// <summary>What the user says about an image besides the file itself.</summary>
public sealed record ImageLoadOptions
{
    /// <summary>Bytes of guest RAM unless another number is given.</summary>
    public const ulong DefaultMemorySize = 512UL << 20;

    /// <summary>Gets the size of guest RAM in bytes, into which everything loaded must fit; null for <see cref="DefaultMemorySize"/>.</summary>
    public ulong? MemorySize { get; init; }

    /// <summary>The kernel command line unless another is given: messages go to the serial port, and a panic ends the run.</summary>
    public const string LinuxCommandLine = "console=ttyS0 panic=-1";

    /// <summary>Gets the kernel command line, empty for none; null for <see cref="LinuxCommandLine"/>.</summary>
    public string? CommandLine { get; init; }

    /// <summary>Gets the path of the initial RAM disk, or null when there is none.</summary>
    public string? InitrdPath { get; init; }

    /// <summary>Gets the bytes of the initial RAM disk, used when <see cref="InitrdPath"/> is null.</summary>
    public ReadOnlyMemory<byte> Initrd { get; init; }

    /// <summary>Gets the physical address of the ACPI RSDP told to the kernel, or 0 to let the kernel search for it.</summary>
    public ulong AcpiRsdpAddress { get; init; }

    /// <summary>Gets the physical memory map told to the kernel, or null for the machine's usual one.</summary>
    public IReadOnlyList<E820Entry>? MemoryMap { get; init; }

    /// <summary>Gets a value that loads the file as raw bytes whatever it looks like.</summary>
    public bool ForceFlat { get; init; }

    /// <summary>Gets the physical load address of a flat image.</summary>
    public ulong? LoadAddress { get; init; }

    /// <summary>Gets the physical entry address of a flat image; its load address when null.</summary>
    public ulong? EntryAddress { get; init; }

    /// <summary>Gets the mode a flat image is entered in; 64-bit when null.</summary>
    public EntryMode? Mode { get; init; }

    /// <summary>Bytes of guest RAM.</summary>
    internal ulong Memory => MemorySize ?? DefaultMemorySize;

    /// <summary>The kernel command line.</summary>
    internal string Line => CommandLine ?? LinuxCommandLine;
}
