using System.Buffers.Binary;
using System.IO.Compression;
using ZstdSharp;

namespace KprobeTrace.Files;

/// <summary>Tells what a file is that was given for something else, so that an error can name it.</summary>
internal static class FileRecogniser
{
    /// <summary>The first bytes of a file that are enough to tell every kind.</summary>
    public const int HeadSize = 0x1_1000;

    private const int SectorSize = 512;
    private const int PartitionTable = 0x1BE;
    private const int Partitions = 4;
    private const int PeekSize = 512;

    /// <summary>The kind of a file; null for one of no kind known here.</summary>
    /// <param name="file">The file, or its first <see cref="HeadSize"/> bytes.</param>
    public static FileKind? Recognise(ReadOnlySpan<byte> file)
    {
        if (IsBzImage(file))
        {
            return new(FileFamily.Kernel, "a Linux kernel image (bzImage)", "give it as the image");
        }

        if (file.StartsWith("\u007fELF"u8))
        {
            return ElfKinds.NotAKernel(file) ?? new(FileFamily.Kernel, "an x86-64 ELF file", "give it as the image");
        }

        if (OfTrailer(file) is FileKind disk)
        {
            return disk;
        }

        foreach (FileSignature signature in FileSignatures.All)
        {
            if (signature.Matches(file))
            {
                return signature.Kind.Family == FileFamily.Compressed ? LookInside(signature.Kind, file) : signature.Kind;
            }
        }

        return PeKinds.Of(file) ?? OfClassOrUniversal(file) ?? OfAssemblerOutput(file) ?? OfBootSector(file) ?? TextKinds.Of(file);
    }

    /// <summary>The kind of a file that cannot be run as a kernel, or null for a bzImage and for an ELF file that may be one.</summary>
    internal static FileKind? NotAKernel(ReadOnlySpan<byte> file) =>
        Recognise(file) is { Family: not FileFamily.Kernel } kind ? kind : null;

    private static bool IsBzImage(ReadOnlySpan<byte> file) =>
        file.Length >= 0x206 && file[0x1FE] == 0x55 && file[0x1FF] == 0xAA && file[0x202..].StartsWith("HdrS"u8);

    /// <summary>Disk images that keep their description in the last sector; what comes first is the disk's own.</summary>
    private static FileKind? OfTrailer(ReadOnlySpan<byte> file)
    {
        ReadOnlySpan<byte> last = file.Length > SectorSize ? file[^SectorSize..] : default;
        return last.StartsWith("koly"u8) ? new(FileFamily.Disk, "an Apple disk image (DMG)", Remedies.TakeOutOfDisk)
            : last.StartsWith("conectix"u8) ? new(FileFamily.Disk, "a VHD disk image", Remedies.TakeOutOfDisk)
            : null;
    }

    /// <summary>A packed cpio archive is an initramfs, whatever packed it.</summary>
    private static FileKind LookInside(FileKind packed, ReadOnlySpan<byte> file)
    {
        byte[] inside = new byte[PeekSize];
        int length = 0;
        try
        {
            using MemoryStream bytes = new(file[..Math.Min(file.Length, HeadSize)].ToArray(), writable: false);
            using Stream? stream = file[0] switch
            {
                0x1F => new GZipStream(bytes, CompressionMode.Decompress),
                0x28 => new DecompressionStream(bytes),
                _ => null,
            };
            length = stream?.ReadAtLeast(inside, inside.Length, throwOnEndOfStream: false) ?? 0;
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or ZstdException)
        {
            // What is damaged or goes on beyond the bytes at hand stays unseen.
        }

        ReadOnlySpan<byte> seen = inside.AsSpan(0, length);
        foreach (FileSignature signature in FileSignatures.All)
        {
            if (signature.Kind.Family == FileFamily.Initramfs && signature.Matches(seen))
            {
                return packed with
                {
                    Name = packed.Name[..^"file".Length] + "cpio archive, as an initramfs is",
                    Remedy = signature.Kind.Remedy,
                };
            }
        }

        return packed;
    }

    /// <summary>Two formats share a magic number; behind it stands how many processors there are, or the version of Java, from 45 on.</summary>
    private static FileKind? OfClassOrUniversal(ReadOnlySpan<byte> file)
    {
        const uint FirstJava = 45;
        if (file.Length < 8 || BinaryPrimitives.ReadUInt32BigEndian(file) != 0xCAFE_BABE)
        {
            return null;
        }

        return new(
            FileFamily.Foreign,
            BinaryPrimitives.ReadUInt32BigEndian(file[4..]) < FirstJava ? "a universal Mach-O file" : "a Java class",
            Remedies.GiveKernel);
    }

    /// <summary>The a.out format: a magic number with a machine type above it, then the sizes of text and data.</summary>
    private static FileKind? OfAssemblerOutput(ReadOnlySpan<byte> file)
    {
        const int HeaderSize = 32;
        if (file.Length < HeaderSize)
        {
            return null;
        }

        uint info = BinaryPrimitives.ReadUInt32LittleEndian(file);
        uint text = BinaryPrimitives.ReadUInt32LittleEndian(file[4..]);
        return (ushort)info is 0x107 or 0x108 or 0x10B or 0xCC && (byte)(info >> 16) is 0 or 100 or 134 && text is > 0 and < 0x1000_0000
            ? new(FileFamily.Foreign, "an executable in the a.out format", "link it as ELF64 (ld -m elf_x86_64), or give its raw code with --load and --mode")
            : null;
    }

    private static FileKind? OfBootSector(ReadOnlySpan<byte> file)
    {
        if (file.Length < SectorSize || file[SectorSize - 2] != 0x55 || file[SectorSize - 1] != 0xAA)
        {
            return null;
        }

        bool any = false;
        bool sound = true;
        for (int i = 0; i < Partitions; i++)
        {
            ReadOnlySpan<byte> entry = file.Slice(PartitionTable + (16 * i), 16);
            sound &= entry[0] is 0 or 0x80;
            any |= entry[4] != 0 && BinaryPrimitives.ReadUInt32LittleEndian(entry[12..]) != 0;
        }

        return any && sound
            ? new(FileFamily.Disk, "a disk image (MBR)", Remedies.TakeOutOfDisk)
            : new(FileFamily.Foreign, "a boot sector or floppy image", "to run its code as a BIOS would enter it, add --mode 16 --load 0x7c00");
    }
}
