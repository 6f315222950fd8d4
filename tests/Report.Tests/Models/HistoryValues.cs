using System.Text;
using System.Text.RegularExpressions;
using CsCheck;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Values that events carry: registers, arguments of every type, texts.</summary>
/// <remarks>Few different ones, so that equal values meet, and those at the limits of types among them.</remarks>
internal static class HistoryValues
{
    /// <summary>What registers and 64-bit arguments hold.</summary>
    internal static readonly ulong[] Words =
        [0, 1, 2, 17, 0xFF, 0x100, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, long.MaxValue, 1UL << 63, 0xFFFF888003042A00, ulong.MaxValue];

    private static readonly string[] _texts =
    [
        "", "a", "/etc/passwd", "a,\"b\"\n<script>'x'", "tab\tand\\ \u0001 \u007f\u0085", "größer 漢字 😀", "(fault)", "null", "a b=c",
        new string('x', 31), new string('y', 32), new string('z', 33), new string('é', 16), new string('l', 300),
    ];

    private static readonly byte[][] _rawTexts = [[0xFF], [(byte)'a', 0xC3, (byte)'b'], [0xE2, 0x82], [0x80, .. Encoding.UTF8.GetBytes("é")]];

    private static readonly Dictionary<string, Gen<object?>> _byType = [];

    /// <summary>A register's value: often a small one.</summary>
    internal static Gen<ulong> Word { get; } = Gen.Frequency(
        (3, Gen.Int[0, 20].Select(static n => (ulong)n)), (4, Gen.OneOf(Words)), (1, Gen.ULong));

    /// <summary>All registers; most of them 0.</summary>
    internal static Gen<ulong[]> Registers { get; } = Gen.Frequency((2, Gen.Const(0UL)), (1, Word)).Array[19]
        .Select(Gen.Bool, static (registers, isOff) =>
        {
            registers[17] = isOff ? 0x46UL : 0x246UL;
            return registers;
        });

    /// <summary>A line of a console, of bytes that need not be text.</summary>
    internal static Gen<byte[]> Line { get; } = Gen.Frequency((3, Gen.OneOf(_texts).Select(Encoding.UTF8.GetBytes)), (1, Gen.OneOf(_rawTexts)));

    /// <summary>A value of an argument of a type, null where it could not be read.</summary>
    internal static Gen<object?> OfType(string type)
    {
        lock (_byType)
        {
            if (!_byType.TryGetValue(type, out Gen<object?>? gen))
            {
                _byType.Add(type, gen = Create(type));
            }

            return gen;
        }
    }

    /// <summary>The plainest value of a type.</summary>
    internal static object? Plain(string type) => IsText(type) ? "" : IsSigned(type) ? 0L : 0UL;

    private static Gen<object?> Create(string type)
    {
        Match array = Regex.Match(type, @"^(.*)\[(\d+)\]$");
        if (array.Success)
        {
            int length = int.Parse(array.Groups[2].Value, null);
            Gen<object?> values = Create(array.Groups[1].Value).Array[length].Select(static a => (object?)a);
            return Gen.Frequency((1, HistoryGen.Nothing<object>()), (7, values));
        }

        Gen<object?> value = IsText(type)
            ? Gen.Frequency((6, Gen.OneOf(_texts).Select(static t => (object?)t)), (1, Gen.OneOf(_rawTexts).Select(static b => (object?)b)))
            : Word.Select(w => (object?)Cut(type, w));
        return Gen.Frequency((1, HistoryGen.Nothing<object>()), (6, value));
    }

    /// <summary>Whether values of a type are text.</summary>
    internal static bool IsText(string type) =>
        type.StartsWith("string", StringComparison.Ordinal) || type.StartsWith("ustring", StringComparison.Ordinal)
        || type.StartsWith("symstr", StringComparison.Ordinal);

    /// <summary>Whether values of a type are signed numbers.</summary>
    internal static bool IsSigned(string type) => Regex.IsMatch(type, @"^s\d");

    private static object Cut(string type, ulong word)
    {
        int bits = Regex.Match(type, @"^[usxb](\d+)") is { Success: true } width ? int.Parse(width.Groups[1].Value, null)
            : type == "char" ? 7 : 64;
        return IsSigned(type) ? (long)(word << (64 - bits)) >> (64 - bits) : word << (64 - bits) >> (64 - bits);
    }
}
