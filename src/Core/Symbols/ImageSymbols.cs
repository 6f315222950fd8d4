using System.Text;
using KprobeTrace.Files;
using KprobeTrace.Loaders;

namespace KprobeTrace.Symbols;

/// <summary>Collects an image's symbols from every place that has some.</summary>
internal static class ImageSymbols
{
    /// <summary>Reads kallsyms from a Linux image, the ELF symbol table, and a file the user names.</summary>
    /// <param name="image">The image.</param>
    /// <param name="symbolFile">A System.map or an ELF file with symbols; null when the user names none.</param>
    /// <returns>The table; empty when nothing has symbols.</returns>
    /// <exception cref="KprobeTraceException">The named file cannot be read or holds no symbols.</exception>
    public static SymbolTable Load(LoadedImage image, string? symbolFile = null)
    {
        ArgumentNullException.ThrowIfNull(image);
        IReadOnlyList<Symbol> symbols = [];
        if (image.IsLinux)
        {
            foreach (LinkRange range in image.LinkRanges)
            {
                IReadOnlyList<Symbol> found = KallsymsReader.Read(range.Bytes.Span, range.LinkAddress);
                symbols = found.Count > symbols.Count ? found : symbols;
            }
        }

        if (image.Elf is not null)
        {
            symbols = Merge(symbols, ElfSymbolReader.Read(image.Elf));
        }

        return new SymbolTable(symbolFile is null ? symbols : Merge(symbols, ReadFile(symbolFile)));
    }

    private static IReadOnlyList<Symbol> Merge(IReadOnlyList<Symbol> first, IReadOnlyList<Symbol> second)
    {
        if (first.Count == 0 || second.Count == 0)
        {
            return first.Count == 0 ? second : first;
        }

        HashSet<(ulong Address, string Name)> known = new(first.Count);
        foreach (Symbol symbol in first)
        {
            known.Add((symbol.Address, symbol.Name));
        }

        List<Symbol> merged = [.. first];
        foreach (Symbol symbol in second)
        {
            if (symbol.Module.Length == 0 && known.Add((symbol.Address, symbol.Name)))
            {
                merged.Add(symbol);
            }
        }

        return merged;
    }

    private static IReadOnlyList<Symbol> ReadFile(string path)
    {
        byte[] bytes = InputFile.ReadAll(path, "symbol file");
        FileKind? kind = FileRecogniser.Recognise(bytes);
        if (ElfFile.HasMagic(bytes) && kind is { Family: FileFamily.Kernel or FileFamily.Executable })
        {
            IReadOnlyList<Symbol> symbols = ElfSymbolReader.Read(ElfFile.Parse(path, bytes));
            return symbols.Count > 0
                ? symbols
                : throw new KprobeTraceException($"{path}: the ELF file has no symbol table; give one that was not stripped");
        }

        if (kind is { Family: not (FileFamily.SymbolList or FileFamily.Text) })
        {
            throw kind.Refuse(path, FileRole.Symbols);
        }

        using StreamReader reader = new(new MemoryStream(bytes, writable: false), Encoding.UTF8);
        return SystemMapReader.Read(path, reader);
    }
}
