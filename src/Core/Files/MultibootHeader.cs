using System.Buffers.Binary;

namespace KprobeTrace.Files;

/// <summary>Finds the header of a Multiboot kernel (Multiboot specifications 0.6.96 and 2.0, "OS image format").</summary>
internal static class MultibootHeader
{
    private const uint Magic1 = 0x1BAD_B002;
    private const uint Magic2 = 0xE852_50D6;
    private const int Reach1 = 8192;
    private const int Reach2 = 32768;

    /// <summary>True where a header of either version, with a right checksum, stands where a boot loader looks for it.</summary>
    internal static bool IsIn(ReadOnlySpan<byte> file)
    {
        int end = Math.Min(file.Length, Reach2) - 16;
        for (int at = 0; at <= end; at += 4)
        {
            uint magic = Word(file, at);
            if (magic == Magic1 && at < Reach1 && magic + Word(file, at + 4) + Word(file, at + 8) == 0)
            {
                return true;
            }

            if (magic == Magic2 && (at & 7) == 0
                && magic + Word(file, at + 4) + Word(file, at + 8) + Word(file, at + 12) == 0)
            {
                return true;
            }
        }

        return false;
    }

    private static uint Word(ReadOnlySpan<byte> file, int at) => BinaryPrimitives.ReadUInt32LittleEndian(file[at..]);
}
