namespace KprobeTrace.Cpu.Decode;

/// <summary>What the bytes before an opcode are.</summary>
internal static unsafe class Prefixes
{
    private const byte Lock = 0xF0;
    private const byte FirstX87 = 0xD8;
    private const byte LastX87 = 0xDF;

    /// <summary>Whether a byte is a prefix but REX.</summary>
    public static bool IsLegacy(byte b) => IsSegment(b) || b is 0x66 or 0x67 or Lock || IsRepeat(b);

    /// <summary>Whether a byte is a REX prefix, in 64-bit code.</summary>
    public static bool IsRex(byte b, bool code64) => code64 && (b & 0xF0) == 0x40;

    /// <summary>Whether an instruction of 64-bit code has a REX prefix with W set, right before its opcode.</summary>
    public static bool HasRexW(byte* bytes, int length)
    {
        int at = 0;
        while (at < length - 1 && (IsLegacy(bytes[at]) || IsRex(bytes[at], code64: true)))
        {
            at++;
        }

        return at > 0 && (bytes[at - 1] & 0xF8) == 0x48;
    }

    /// <summary>Whether a prefix decides only where an operand lies, or whether it may be accessed: never how long the instruction is.</summary>
    public static bool IsSegmentOrLock(byte b) => IsSegment(b) || b == Lock;

    /// <summary>
    /// The opcode of an x87 instruction as the last-opcode register keeps it: three bits of the first byte and the second
    /// (Intel SDM vol. 1 §8.1.9); 0 for any other instruction.
    /// </summary>
    public static ushort X87Opcode(byte* bytes, int length, bool code64)
    {
        int at = 0;
        while (at < length - 2 && (IsLegacy(bytes[at]) || IsRex(bytes[at], code64)))
        {
            at++;
        }

        return at + 1 < length && bytes[at] is >= FirstX87 and <= LastX87
            ? (ushort)(((bytes[at] & 7) << 8) | bytes[at + 1])
            : (ushort)0;
    }

    private static bool IsSegment(byte b) => b is 0x26 or 0x2E or 0x36 or 0x3E or 0x64 or 0x65;

    private static bool IsRepeat(byte b) => b is 0xF2 or 0xF3;
}
