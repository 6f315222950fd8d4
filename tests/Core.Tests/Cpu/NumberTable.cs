using System.Globalization;
using KprobeTrace.Cpu.Float;
using KprobeTrace.Tests.Guests;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Recorded results: one case a line, fields divided by blanks, <c>#</c> starts a comment line.</summary>
internal static class NumberTable
{
    public static IEnumerable<string[]> Rows(string path) =>
        File.ReadLines(Repository.PathOf("tests/Core.Tests/Cpu/" + path))
            .Where(line => line.Length > 0 && line[0] != '#')
            .Select(line => line.Split(' '));

    public static ulong Hex(string text) => ulong.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    public static Float80 Extended(string text)
    {
        string[] parts = text.Split(':');
        return new Float80((ushort)Hex(parts[0]), Hex(parts[1]));
    }
}
