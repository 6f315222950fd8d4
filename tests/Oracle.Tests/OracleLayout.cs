namespace KprobeTrace.Tests.Oracle;

/// <summary>Addresses of the test pages and the layout of the file shared with the oracle process (oracle.c).</summary>
internal static class OracleLayout
{
    public const ulong PageSize = 4096;

    public const ulong CodeBase = 0x1000_0000;
    public const ulong CodeSize = 2 * PageSize;
    public const ulong DataBase = 0x2000_0000;
    public const ulong DataSize = 2 * PageSize;
    public const ulong ReadOnlyBase = DataBase - PageSize;
    public const ulong StackBase = 0x3000_0000;
    public const ulong StackSize = PageSize;
    public const ulong WritableSize = DataSize + StackSize;
    public const ulong FsBase = 0x2000_0840;
    public const ulong GsBase = 0x0000_5555_0000_1238;

    public const uint Magic = 0x4352_414f;
    public const uint Version = 3;
    public const int MaxCases = 1024;
    public const int CaseInSize = 704;
    public const int CaseOutSize = 736;
    public const int PatchArenaSize = 1024 * 1024;
    public const int MaxDiffs = 192 * 1024;

    public const int PristineReadOnlyOffset = 4096;
    public const int PristineOffset = PristineReadOnlyOffset + (int)PageSize;
    public const int CasesOffset = PristineOffset + (int)WritableSize;
    public const int ResultsOffset = CasesOffset + (MaxCases * CaseInSize);
    public const int PatchesOffset = ResultsOffset + (MaxCases * CaseOutSize);
    public const int DiffsOffset = PatchesOffset + PatchArenaSize;
    public const int FileSize = DiffsOffset + (MaxDiffs * 16);

    /// <summary>Selectors that a 64-bit Linux process runs with, and that of 32-bit code.</summary>
    public const ushort UserCode = 0x33;
    public const ushort CompatibilityCode = 0x23;
    public const ushort UserData = 0x2b;

    /// <summary>The offset into the writable memory of a linear address, or null when the range is not all writable.</summary>
    public static uint? WritableOffset(ulong address, int length)
    {
        if (address - DataBase <= DataSize - (ulong)length)
        {
            return (uint)(address - DataBase);
        }

        if (address - StackBase <= StackSize - (ulong)length)
        {
            return (uint)(address - StackBase + DataSize);
        }

        return null;
    }

    /// <summary>The linear address of an offset into the writable memory.</summary>
    public static ulong WritableAddress(ulong offset) =>
        offset < DataSize ? DataBase + offset : StackBase + (offset - DataSize);
}
