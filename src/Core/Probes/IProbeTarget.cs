namespace KprobeTrace.Probes;

/// <summary>The image a definition is checked against: its symbols and, where it has them, its types.</summary>
internal interface IProbeTarget
{
    /// <summary>Finds a symbol by <c>NAME</c> or <c>MODULE:NAME</c>.</summary>
    public bool TryResolve(string name, out ulong address);

    /// <summary>Counts the symbols of a name, those of modules included.</summary>
    public int CountSymbols(string name);

    /// <summary>Gives the distance of an address from the start of the symbol that holds it.</summary>
    public bool TryGetSymbolOffset(ulong address, out ulong offset);

    /// <summary>Tells whether a module is loaded.</summary>
    public bool IsModuleLoaded(string name);

    /// <summary>What to ask behind the message that a name, <c>NAME</c> or <c>MODULE:NAME</c>, is no symbol; empty without an idea.</summary>
    /// <param name="name">The name.</param>
    /// <param name="isText">Whether only functions can be meant.</param>
    public string AskForSymbol(string name, bool isText);

    /// <summary>The image's type information, null without.</summary>
    public IProbeTypes? Types { get; }
}
