using KprobeTrace.Fuzz.Targets;

namespace KprobeTrace.Fuzz.Engine;

/// <summary>All targets by name.</summary>
internal static class FuzzTargets
{
    private static readonly (string Name, int Share, Func<IFuzzTarget> Create)[] _all =
    [
        ("cpu", 6, static () => new CpuTarget()),
        ("loader", 3, static () => new LoaderTarget()),
        ("state", 2, static () => new StateTarget()),
        ("kallsyms", 2, static () => new KallsymsTarget()),
        ("btf", 1, static () => new BtfTarget()),
        ("orc", 1, static () => new OrcTarget()),
        ("elfsymbols", 1, static () => new ElfSymbolsTarget()),
        ("systemmap", 1, static () => new SystemMapTarget()),
        ("definition", 1, static () => new DefinitionTarget()),
        ("filter", 1, static () => new FilterTarget()),
        ("trace", 3, static () => new TraceTarget()),
        ("import", 4, static () => new ImportTarget()),
        ("sql", 4, static () => new SqlTarget()),
        ("export", 4, static () => new ExportTarget()),
        ("commandline", 4, static () => new CommandLineTarget()),
    ];

    /// <summary>The names, in the order in which they run.</summary>
    public static IEnumerable<string> Names => _all.Select(t => t.Name);

    /// <summary>How much of a run's time a target gets beside the others: slow ones and those with many layers get more.</summary>
    public static int ShareOf(string name) => _all.First(t => t.Name == name).Share;

    /// <summary>Makes a target.</summary>
    /// <exception cref="KprobeTraceException">There is none of the name.</exception>
    public static IFuzzTarget Create(string name)
    {
        foreach ((string known, _, Func<IFuzzTarget> create) in _all)
        {
            if (known == name)
            {
                return create();
            }
        }

        throw new KprobeTraceException($"no target is named '{name}'; there are {string.Join(", ", Names)}");
    }
}
