using System.Globalization;

namespace KprobeTrace.Symbols;

/// <summary>Reads a System.map, or anything else in the format of nm and /proc/kallsyms: address, letter, name.</summary>
internal static class SystemMapReader
{
    private const int MaxSymbols = 4_000_000;

    /// <summary>Reads the lines; a name may be followed by a module in brackets, whose symbols keep its name.</summary>
    /// <param name="fileName">Name of the file, for messages.</param>
    /// <param name="reader">The text.</param>
    /// <exception cref="KprobeTraceException">A line is no symbol, or all addresses are hidden (zero).</exception>
    public static IReadOnlyList<Symbol> Read(string fileName, TextReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        List<Symbol> symbols = [];
        bool anyAddress = false;
        int line = 0;
        while (reader.ReadLine() is string text)
        {
            line++;
            ReadOnlySpan<char> rest = text.AsSpan().Trim();
            if (rest.IsEmpty)
            {
                continue;
            }

            if (!TryParse(rest, out Symbol symbol) || symbols.Count == MaxSymbols)
            {
                throw new KprobeTraceException(
                    $"{fileName}:{line}: expected 'ADDRESS TYPE NAME', such as 'ffffffff81000000 T _text'");
            }

            anyAddress |= symbol.Address != 0;
            symbols.Add(symbol);
        }

        if (!anyAddress)
        {
            throw new KprobeTraceException(
                $"{fileName}: it holds no symbol addresses; give the kernel's real System.map or vmlinux");
        }

        return symbols;
    }

    private static bool TryParse(ReadOnlySpan<char> line, out Symbol symbol)
    {
        symbol = default;
        int blank = line.IndexOfAny(' ', '\t');
        if (blank < 1 || !ulong.TryParse(line[..blank], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong address))
        {
            return false;
        }

        line = line[blank..].TrimStart();
        if (line.Length < 3 || !char.IsAsciiLetter(line[0]) || line[1] is not (' ' or '\t'))
        {
            return false;
        }

        char type = line[0];
        line = line[1..].TrimStart();
        ReadOnlySpan<char> module = [];
        int end = line.IndexOfAny(' ', '\t');
        if (end >= 0)
        {
            module = line[end..].Trim();
            line = line[..end];
            if (module.Length < 3 || module[0] != '[' || module[^1] != ']')
            {
                return false;
            }

            module = module[1..^1];
        }

        symbol = new Symbol(line.ToString(), address, 0, type, module.ToString());
        return line.Length > 0;
    }
}
