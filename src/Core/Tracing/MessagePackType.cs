namespace KprobeTrace.Tracing;

/// <summary>The first byte of MessagePack's values: what a value is, and how many bytes of length or number follow.</summary>
/// <remarks>
/// Below 0x80 and from <see cref="LeastNegative"/> on a byte is itself an integer; <see cref="Map"/>, <see cref="Array"/> and
/// <see cref="Str"/> have a short count in their lower bits. https://github.com/msgpack/msgpack/blob/master/spec.md
/// </remarks>
internal static class MessagePackType
{
    internal const byte GreatestPositive = 0x7F;
    internal const byte Map = 0x80;
    internal const byte MapLast = 0x8F;
    internal const byte Array = 0x90;
    internal const byte ArrayLast = 0x9F;
    internal const byte Str = 0xA0;
    internal const byte StrLast = 0xBF;
    internal const byte Nil = 0xC0;
    internal const byte False = 0xC2;
    internal const byte True = 0xC3;
    internal const byte Bin8 = 0xC4;
    internal const byte Bin16 = 0xC5;
    internal const byte Bin32 = 0xC6;
    internal const byte Real32 = 0xCA;
    internal const byte Real64 = 0xCB;
    internal const byte UInt8 = 0xCC;
    internal const byte UInt16 = 0xCD;
    internal const byte UInt32 = 0xCE;
    internal const byte UInt64 = 0xCF;
    internal const byte Int8 = 0xD0;
    internal const byte Int16 = 0xD1;
    internal const byte Int32 = 0xD2;
    internal const byte Int64 = 0xD3;
    internal const byte Str8 = 0xD9;
    internal const byte Str16 = 0xDA;
    internal const byte Str32 = 0xDB;
    internal const byte Array16 = 0xDC;
    internal const byte Array32 = 0xDD;
    internal const byte Map16 = 0xDE;
    internal const byte Map32 = 0xDF;
    internal const byte LeastNegative = 0xE0;
}
