using KprobeTrace.Fuzz.Targets;

namespace KprobeTrace.Fuzz.Engine;

/// <summary>All targets by name.</summary>
internal static class FuzzTargets
{
    private static readonly (string Name, Func<IFuzzTarget> Create)[] _all =
    [
        ("cpu", static () => new CpuTarget()),
        ("loader", static () => new LoaderTarget()),
        ("kallsyms", static () => new KallsymsTarget()),
        ("btf", static () => new BtfTarget()),
        ("orc", static () => new OrcTarget()),
        ("elfsymbols", static () => new ElfSymbolsTarget()),
        ("systemmap", static () => new SystemMapTarget()),
        ("definition", static () => new DefinitionTarget()),
        ("filter", static () => new FilterTarget()),
        ("trace", static () => new TraceTarget()),
        ("import", static () => new ImportTarget()),
        ("sql", static () => new SqlTarget()),
        ("export", static () => new ExportTarget()),
        ("commandline", static () => new CommandLineTarget()),
    ];

    /// <summary>The names, in the order in which they run.</summary>
    public static IEnumerable<string> Names => _all.Select(t => t.Name);

    /// <summary>Makes a target.</summary>
    /// <exception cref="KprobeTraceException">There is none of the name.</exception>
    public static IFuzzTarget Create(string name)
    {
        foreach ((string known, Func<IFuzzTarget> create) in _all)
        {
            if (known == name)
            {
                return create();
            }
        }

        throw new KprobeTraceException($"no target is named '{name}'; there are {string.Join(", ", Names)}");
    }
}
