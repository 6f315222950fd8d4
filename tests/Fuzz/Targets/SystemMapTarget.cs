using System.Text;
using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Symbols;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>System.map files.</summary>
internal sealed class SystemMapTarget : IFuzzTarget
{
    public string Name => "systemmap";

    public string Summary => "damaged System.map and /proc/kallsyms text";

    public byte[] Generate(FuzzRandom random)
    {
        StringBuilder text = new();
        for (int i = random.Next(1, 40); i > 0; i--)
        {
            ulong address = 0xFFFF_FFFF_8100_0000 + (ulong)random.Next(0x10000);
            text.Append(address.ToString("x16", null)).Append(random.Pick(" ", "\t", "  ")).Append(random.Pick('T', 't', 'D', 'U', '?', '1'))
                .Append(' ').Append("name").Append(i).Append(random.OneIn(5) ? "\t[module]" : "").Append(random.Pick("\n", "\n", "\r\n", "\r"));
        }

        byte[] bytes = Encoding.UTF8.GetBytes(text.ToString());
        return random.OneIn(4) ? bytes : Mutator.Mutate(random, bytes);
    }

    public void Run(byte[] input)
    {
        using StreamReader reader = new(new MemoryStream(input), Encoding.UTF8);
        IReadOnlyList<Symbol> symbols = SystemMapReader.Read("System.map", reader);
        SymbolTable table = new(symbols);

        // A colon would be read as the end of a module's name.
        foreach (Symbol symbol in symbols.Take(50).Where(s => !s.Name.Contains(':', StringComparison.Ordinal)))
        {
            string name = symbol.Module.Length > 0 ? $"{symbol.Module}:{symbol.Name}" : symbol.Name;
            InvariantException.Require(table.FindAll(symbol.Name).Count > 0 || table.TryFind(name, out _), "a symbol that was read is not found by its name");
            _ = table.Format(symbol.Address + 3);
        }
    }
}
