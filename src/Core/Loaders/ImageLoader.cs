using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using KprobeTrace.Files;

namespace KprobeTrace.Loaders;

/// <summary>Takes a kernel image of any known kind apart.</summary>
/// <remarks>
/// The kind is told by the file's own magic numbers: a setup header makes a bzImage, an ELF header an ELF file; raw
/// bytes are taken as a flat image only when a load address, an entry address or a mode says so.
/// </remarks>
internal static class ImageLoader
{
    private const ulong DefaultFlatAddress = 0x10_0000;
    private const ulong RealModeEnd = 0x10_0000;

    /// <summary>Loads an image from a file.</summary>
    /// <exception cref="KprobeTraceException">The file cannot be read, is damaged, or does not fit.</exception>
    public static LoadedImage Load(string path, ImageLoadOptions options)
    {
        ArgumentNullException.ThrowIfNull(path);
        return Load(path, InputFile.ReadAll(path, "image"), options);
    }

    /// <summary>Loads an image from bytes.</summary>
    /// <param name="name">Path or name of the image: messages have it as it is, traces without its folder.</param>
    /// <param name="bytes">The whole file.</param>
    /// <param name="options">Memory size, command line and so on.</param>
    /// <exception cref="KprobeTraceException">The image is damaged or does not fit.</exception>
    public static LoadedImage Load(string name, ReadOnlyMemory<byte> bytes, ImageLoadOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (bytes.IsEmpty)
        {
            throw new KprobeTraceException($"{name}: the image is empty; get the file again");
        }

        string initrdName = options.InitrdPath ?? "initrd";
        if (options.InitrdPath is not null)
        {
            options = options with { Initrd = InputFile.ReadAll(options.InitrdPath, "initrd"), InitrdPath = null };
        }

        bool flat = options.ForceFlat || options.LoadAddress is not null || options.EntryAddress is not null
            || options.Mode is not null;
        if (flat)
        {
            return LoadFlat(name, bytes, options);
        }

        if (FileRecogniser.NotAKernel(bytes.Span) is FileKind kind)
        {
            throw kind.Refuse(name, FileRole.Image);
        }

        bool linux = BzImageFile.HasMagic(bytes.Span);
        if (!linux && !ElfFile.HasMagic(bytes.Span))
        {
            throw new KprobeTraceException(
                $"{name}: it is neither a bzImage nor an ELF file (it begins with {Beginning(bytes.Span)}); for raw code say"
                + " where it goes with --load and --mode");
        }

        LoadedImage image = linux ? LoadBzImage(name, bytes, options) : LoadElf(name, bytes, options);
        if (image.IsLinux)
        {
            CheckInitrd(initrdName, options.Initrd.Span);
        }

        return image;
    }

    private static string Beginning(ReadOnlySpan<byte> bytes) =>
        string.Join(' ', bytes[..Math.Min(bytes.Length, 4)].ToArray().Select(static b => b.ToString("x2", CultureInfo.InvariantCulture)));

    // What Linux makes of other bytes is its own affair; these it cannot mean.
    private static void CheckInitrd(string name, ReadOnlySpan<byte> initrd)
    {
        if (FileRecogniser.Recognise(initrd) is FileKind kind
            && kind.Family is not (FileFamily.Initramfs or FileFamily.Compressed or FileFamily.FileSystem))
        {
            throw kind.Refuse(name, FileRole.Initrd);
        }
    }

    private static LoadedImage LoadBzImage(string name, ReadOnlyMemory<byte> bytes, ImageLoadOptions options)
    {
        BzImageFile container = BzImageFile.Parse(name, bytes);
        BootPlan plan = new(name, options.Memory);
        ElfFile? elf = null;
        if (PayloadDecompressor.FormatOf(container.Payload.Span) is not null)
        {
            byte[] unpacked = PayloadDecompressor.Unpack(name, container.Payload);
            elf = ElfFile.HasMagic(unpacked) ? ParseKernel($"{name} (unpacked)", unpacked) : null;
        }

        if (elf is not null)
        {
            InitialCpuState cpu = LinuxBoot.EnterElf(name, plan, elf, container, options);
            return Finish(name, bytes, options, plan, cpu, ImageKind.BzImage, elf, container.Release);
        }

        InitialCpuState raw = LinuxBoot.EnterRaw(name, plan, container, options);
        return Finish(name, bytes, options, plan, raw, ImageKind.BzImageRaw, null, container.Release);
    }

    private static LoadedImage LoadElf(string name, ReadOnlyMemory<byte> bytes, ImageLoadOptions options)
    {
        ElfFile elf = ParseKernel(name, bytes);
        BootPlan plan = new(name, options.Memory);
        string? release = LinuxReleaseOf(elf);
        if (release is not null)
        {
            InitialCpuState linux = LinuxBoot.EnterElf(name, plan, elf, null, options);
            return Finish(name, bytes, options, plan, linux, ImageKind.LinuxElf, elf, release);
        }

        ulong end = 0;
        BootPageTables tables = new(name);
        foreach (ElfProgramHeader segment in elf.Segments)
        {
            plan.Add("image", segment.PhysicalAddress, elf.BytesOf(segment), segment.MemorySize);
            end = Math.Max(end, segment.PhysicalAddress + segment.MemorySize);
            if (segment.VirtualAddress != segment.PhysicalAddress)
            {
                tables.Map(segment.VirtualAddress, segment.PhysicalAddress, segment.MemorySize);
            }
        }

        LinuxBoot.AddBootData(plan, tables, null, options, end);
        InitialCpuState cpu = EntryStates.Long(elf.Entry, BootLayout.ZeroPage);
        return Finish(name, bytes, options, plan, cpu, ImageKind.Elf, elf, "");
    }

    private static LoadedImage LoadFlat(string name, ReadOnlyMemory<byte> bytes, ImageLoadOptions options)
    {
        EntryMode mode = options.Mode ?? EntryMode.Long64;
        ulong load = options.LoadAddress ?? DefaultFlatAddress;
        if (options.LoadAddress is null && mode == EntryMode.Real16)
        {
            throw new KprobeTraceException(
                $"{name}: a 16-bit image needs its load address; give one below 1 MiB with --load (0x7c00, say)");
        }

        ulong entry = options.EntryAddress ?? load;
        if (entry < load || entry - load >= (ulong)bytes.Length)
        {
            throw new KprobeTraceException(
                $"{name}: the entry 0x{entry:x} lies outside the image at 0x{load:x} with {bytes.Length} bytes;"
                + " correct --load or --entry");
        }

        ulong end = load + (ulong)bytes.Length;
        if (mode == EntryMode.Real16 && end > RealModeEnd)
        {
            throw new KprobeTraceException(
                $"{name}: a 16-bit image must lie below 1 MiB, but it ends at 0x{end:x}; load it lower with --load");
        }

        BootPlan plan = new(name, options.Memory);
        plan.Add("image", load, bytes);
        if (mode != EntryMode.Real16)
        {
            plan.Add("descriptor table", BootLayout.Gdt, EntryStates.Gdt(mode));
        }

        if (mode == EntryMode.Long64)
        {
            plan.Add("page tables", BootLayout.PageTables, new BootPageTables(name).Bytes);
        }

        InitialCpuState cpu = mode switch
        {
            EntryMode.Real16 => EntryStates.Real(entry),
            EntryMode.Protected32 => EntryStates.Protected(entry, 0),
            _ => EntryStates.Long(entry, 0),
        };
        LinkRange range = new(load, load, (ulong)bytes.Length, bytes, Executable: true);
        return Build(name, bytes, options, plan, cpu, ImageKind.Flat, [range], null, "", entry);
    }

    private static ElfFile ParseKernel(string name, ReadOnlyMemory<byte> bytes)
    {
        if (FileRecogniser.NotAKernel(bytes.Span) is FileKind kind)
        {
            throw kind.Refuse(name, FileRole.Image);
        }

        ElfFile elf = ElfFile.Parse(name, bytes);
        return elf.Segments.Count > 0
            ? elf
            : throw new KprobeTraceException($"{name}: the ELF file has nothing to load; give a linked kernel");
    }

    // The banner is the one thing every Linux image holds, whatever was stripped from it.
    private static string? LinuxReleaseOf(ElfFile elf)
    {
        ReadOnlySpan<byte> banner = "Linux version "u8;
        const int MaxRelease = 128;
        foreach (ElfProgramHeader segment in elf.Segments)
        {
            ReadOnlySpan<byte> bytes = elf.BytesOf(segment).Span;
            for (int at; (at = bytes.IndexOf(banner)) >= 0; bytes = bytes[banner.Length..])
            {
                bytes = bytes[at..];
                ReadOnlySpan<byte> rest = bytes[banner.Length..];
                int end = rest[..Math.Min(rest.Length, MaxRelease)].IndexOf((byte)' ');
                if (end > 0 && char.IsAsciiDigit((char)rest[0]))
                {
                    return Encoding.ASCII.GetString(rest[..end]);
                }
            }
        }

        return null;
    }

    private static LoadedImage Finish(
        string name, ReadOnlyMemory<byte> bytes, ImageLoadOptions options, BootPlan plan, InitialCpuState cpu,
        ImageKind kind, ElfFile? elf, string release)
    {
        List<LinkRange> ranges = [];
        foreach (ElfProgramHeader segment in elf?.Segments ?? [])
        {
            ranges.Add(new LinkRange(
                segment.VirtualAddress, segment.PhysicalAddress, segment.MemorySize, elf!.BytesOf(segment),
                (segment.Flags & 1) != 0));
        }

        return Build(name, bytes, options, plan, cpu, kind, ranges, elf, release, cpu.Rip);
    }

    private static LoadedImage Build(
        string name, ReadOnlyMemory<byte> bytes, ImageLoadOptions options, BootPlan plan, InitialCpuState cpu,
        ImageKind kind, List<LinkRange> ranges, ElfFile? elf, string release, ulong entry)
    {
        bool linux = kind is ImageKind.BzImage or ImageKind.BzImageRaw or ImageKind.LinuxElf;
        (ulong physical, ulong link) = EntryOf(name, entry, ranges, linux);
        return new LoadedImage(ranges)
        {
            Kind = kind,
            BaseName = Path.GetFileName(name),
            Sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes.Span)),
            Segments = plan.Segments,
            Cpu = cpu,
            EntryPhysical = physical,
            EntryLink = link,
            Elf = elf,
            IsLinux = linux,
            KernelRelease = release,
            CommandLine = options.Line,
            MemorySize = options.Memory,
        };
    }

    // Linux states its entry as a physical address; other images state it as linked.
    private static (ulong Physical, ulong Link) EntryOf(string name, ulong entry, List<LinkRange> ranges, bool linux)
    {
        foreach (LinkRange range in ranges)
        {
            if (linux && entry - range.PhysicalAddress < range.Length)
            {
                return (entry, range.LinkAddress + (entry - range.PhysicalAddress));
            }

            if (!linux && entry - range.LinkAddress < range.Length)
            {
                return (range.PhysicalAddress + (entry - range.LinkAddress), entry);
            }
        }

        return ranges.Count == 0
            ? (entry, entry)
            : throw new KprobeTraceException(
                $"{name}: its entry 0x{entry:x} lies in none of its segments; link it with an entry point (ENTRY in the linker script)");
    }
}
