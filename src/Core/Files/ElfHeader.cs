using System.Buffers.Binary;

namespace KprobeTrace.Files;

/// <summary>What the first bytes of any ELF file say, of either word size and byte order.</summary>
internal readonly record struct ElfHeader(bool Is64, bool IsBigEndian, int OperatingSystem, int Type, int Machine)
{
    private const int Size = 20;

    internal static bool TryRead(ReadOnlySpan<byte> file, out ElfHeader header)
    {
        header = default;
        if (file.Length < Size || !file.StartsWith("\u007fELF"u8) || file[4] is not (1 or 2) || file[5] is not (1 or 2))
        {
            return false;
        }

        bool big = file[5] == 2;
        header = new ElfHeader(file[4] == 2, big, file[7], Word(file[16..], big), Word(file[18..], big));
        return true;
    }

    private static int Word(ReadOnlySpan<byte> at, bool big) =>
        big ? BinaryPrimitives.ReadUInt16BigEndian(at) : BinaryPrimitives.ReadUInt16LittleEndian(at);
}
