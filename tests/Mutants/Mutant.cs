namespace KprobeTrace.Tests.Mutants;

/// <summary>One planted fault.</summary>
/// <param name="Id">Its switch, from 0.</param>
/// <param name="Site">Where it is and what it does.</param>
/// <param name="Fault">The same in words that outlive edits of the file.</param>
internal sealed record Mutant(int Id, Site Site, Fault Fault)
{
    /// <summary>The folder it counts for.</summary>
    public string Folder => Site.Folder;

    public override string ToString() => $"{Fault.File}:{Site.Line} {Fault.Operator}: {Fault.Before}  →  {Fault.After}";
}
