using System.Buffers.Binary;

namespace KprobeTrace.Files;

/// <summary>Names files that begin with a DOS header: EFI programs, Windows programs, DOS programs.</summary>
internal static class PeKinds
{
    private const int NewHeaderOffset = 0x3C;
    private const int FileHeaderSize = 24;
    private const int SectionHeaderSize = 40;
    private const int MaxSections = 96;
    private const int SubsystemNative = 1;
    private const int SubsystemEfiApplication = 10;
    private const int SubsystemEfiRom = 13;

    /// <summary>The kind of a file that begins with "MZ"; null for all others.</summary>
    internal static FileKind? Of(ReadOnlySpan<byte> file)
    {
        if (!file.StartsWith("MZ"u8))
        {
            return null;
        }

        if (!TryFindHeader(file, out ReadOnlySpan<byte> header))
        {
            return new(FileFamily.Foreign, "a DOS program", Remedies.GiveKernel);
        }

        int machine = BinaryPrimitives.ReadUInt16LittleEndian(header[4..]);
        string processor = MachineNames.OfPe(machine);
        int subsystem = header.Length >= FileHeaderSize + 70 ? BinaryPrimitives.ReadUInt16LittleEndian(header[(FileHeaderSize + 68)..]) : 0;
        if (file[4..].StartsWith("zimg"u8))
        {
            return new(
                FileFamily.Foreign, $"an EFI zboot image of a Linux kernel for {processor}", Remedies.OnlyX86);
        }

        if (HasSection(header, ".linux"u8))
        {
            return new(
                FileFamily.Packed,
                $"a unified kernel image for {processor}",
                "take the kernel out of it (objcopy -O binary --only-section=.linux FILE KERNEL; the initrd is in .initrd)");
        }

        return subsystem is >= SubsystemEfiApplication and <= SubsystemEfiRom
            ? new(FileFamily.Foreign, $"an EFI program for {processor}", "no firmware is emulated: " + Remedies.GiveBzImage)
            : new(
                FileFamily.Foreign,
                $"a Windows {(subsystem == SubsystemNative ? "kernel or driver" : "program")} (PE) for {processor}",
                Remedies.GiveBzImage);
    }

    private static bool TryFindHeader(ReadOnlySpan<byte> file, out ReadOnlySpan<byte> header)
    {
        header = default;
        if (file.Length < NewHeaderOffset + 4)
        {
            return false;
        }

        uint at = BinaryPrimitives.ReadUInt32LittleEndian(file[NewHeaderOffset..]);
        if (at > (uint)(file.Length - FileHeaderSize) || !file[(int)at..].StartsWith("PE\0\0"u8))
        {
            return false;
        }

        header = file[(int)at..];
        return true;
    }

    private static bool HasSection(ReadOnlySpan<byte> header, ReadOnlySpan<byte> name)
    {
        int sections = Math.Min(BinaryPrimitives.ReadUInt16LittleEndian(header[6..]), (ushort)MaxSections);
        int at = FileHeaderSize + BinaryPrimitives.ReadUInt16LittleEndian(header[20..]);
        for (int i = 0; i < sections && at + SectionHeaderSize <= header.Length; i++, at += SectionHeaderSize)
        {
            ReadOnlySpan<byte> found = header.Slice(at, 8);
            if (found.StartsWith(name) && (found.Length == name.Length || found[name.Length] == 0))
            {
                return true;
            }
        }

        return false;
    }
}
