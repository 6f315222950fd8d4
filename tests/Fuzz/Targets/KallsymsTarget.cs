using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Symbols;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Kernel images with kallsyms tables of every layout.</summary>
internal sealed class KallsymsTarget : IFuzzTarget
{
    private static readonly string[] _layouts =
    [
        "4.4", "4.6", "4.6 UP", "4.6 absolute", "4.20", "4.20 UP", "4.20 absolute", "6.1", "6.2", "6.2 UP", "6.2 absolute", "6.5", "6.5 absolute", "6.15", "7.0",
    ];

    public string Name => "kallsyms";

    public string Summary => "damaged kallsyms tables to the reader, and whole ones that must be read";

    public byte[] Generate(FuzzRandom random)
    {
        List<(ulong Address, char Type, string Name)> symbols = [];
        ulong address = 0xFFFF_FFFF_8100_0000;
        int count = random.OneIn(3) ? random.Next(1, 3000) : random.Next(300, 1200);
        for (int i = 0; i < count; i++)
        {
            symbols.Add((address, random.Pick('t', 'T', 'd', 'D', 'r', 'b', 'W'), $"{random.Pick("do_", "__x64_sys_", "vfs_", "kmem_")}{i}"));
            address += (ulong)random.Next(1, 300);
        }

        byte[] image = KallsymsBuilder.Of(random.Pick<string>(_layouts)).Build(symbols);
        return Mutator.Mutate(random, image);
    }

    public void Run(byte[] input)
    {
        IReadOnlyList<Symbol> symbols = KallsymsReader.Read(input, KallsymsBuilder.LinkAddress);
        InvariantException.Require(symbols.Count <= input.Length, "more symbols than bytes");
        SymbolTable table = new(symbols);

        // A colon would be read as the end of a module's name.
        foreach (Symbol symbol in symbols.Take(50).Where(s => !s.Name.Contains(':', StringComparison.Ordinal)))
        {
            InvariantException.Require(table.TryFind(symbol.Name, out _), "a symbol that was read is not found by its name");
            _ = table.TryFind(symbol.Address, out _, out _);
        }

        IReadOnlyList<Symbol> again = KallsymsReader.Read(input, KallsymsBuilder.LinkAddress);
        InvariantException.Require(symbols.SequenceEqual(again), "the same image gives other symbols the second time");
    }
}
