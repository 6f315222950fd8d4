using KprobeTrace.Probes;

namespace KprobeTrace.Tests.Probes;

/// <summary>A small image: <c>fn</c>, <c>nextfn</c> behind it, <c>dup</c> twice, <c>datasym</c>.</summary>
internal sealed class FakeProbeTarget : IProbeTarget
{
    public const ulong Function = 0xffff_ffff_8100_0000;
    public const ulong Data = 0xffff_ffff_8200_0000;

    private readonly Dictionary<string, ulong> _symbols = new()
    {
        ["fn"] = Function,
        ["nextfn"] = Function + 64,
        ["dup"] = Function + 128,
        ["datasym"] = Data,
    };

    public HashSet<string> Modules { get; } = [];

    public IProbeTypes? Types { get; set; }

    public void Add(string name, ulong address) => _symbols[name] = address;

    public bool TryResolve(string name, out ulong address) => _symbols.TryGetValue(name, out address);

    public int CountSymbols(string name) => name == "dup" ? 2 : _symbols.ContainsKey(name) ? 1 : 0;

    public string AskForSymbol(string name, bool isText) => NearestName.Ask(name, _symbols.Keys);

    public bool IsModuleLoaded(string name) => Modules.Contains(name);

    public bool TryGetSymbolOffset(ulong address, out ulong offset)
    {
        ulong start = 0;
        foreach (ulong candidate in _symbols.Values)
        {
            start = candidate <= address && candidate > start ? candidate : start;
        }

        offset = address - start;
        return start != 0;
    }
}
