using System.Runtime.InteropServices;

namespace KprobeTrace.Files;

/// <summary>What the host says of a file, links followed: its type, and which file it is whatever names it.</summary>
internal readonly partial record struct FileStatus(int Type, ulong Device, ulong Inode)
{
    /// <summary>Types, as S_IFMT has them, shifted down.</summary>
    internal const int Fifo = 1;
    internal const int CharacterDevice = 2;
    internal const int BlockDevice = 6;
    internal const int Ordinary = 8;
    internal const int Socket = 12;

    private const int CurrentDirectory = -100;
    private const uint WantTypeAndInode = 0x101;
    private const int ModeOffset = 28;
    private const int InodeOffset = 32;
    private const int DeviceOffset = 136;
    private const int Size = 256;

    /// <summary>Asks for the status; false where there is no such file, or the host is not Linux.</summary>
    internal static unsafe bool TryRead(string path, out FileStatus status)
    {
        status = default;
        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        byte* bytes = stackalloc byte[Size];
        try
        {
            // SAFETY: struct statx has 256 bytes and the same layout on every processor.
            if (StatX(CurrentDirectory, path, 0, WantTypeAndInode, bytes) != 0)
            {
                return false;
            }
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }

        status = new FileStatus(
            *(ushort*)(bytes + ModeOffset) >> 12, *(ulong*)(bytes + DeviceOffset), *(ulong*)(bytes + InodeOffset));
        return true;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatX(int folder, string path, int flags, uint mask, byte* status);
}
