using KprobeTrace.Symbols;

namespace KprobeTrace.Guest;

/// <summary>A kernel module in guest memory.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address">Address of its <c>struct module</c>.</param>
/// <param name="State">0 live, 1 coming, 2 going, 3 being set up.</param>
/// <param name="Core">Memory that stays while it is loaded; text only where the kernel keeps text apart (from 6.4).</param>
/// <param name="Init">Memory that is freed once it is live; empty when there is none.</param>
/// <param name="CoreText">The text within <paramref name="Core"/>.</param>
/// <param name="InitText">The text within <paramref name="Init"/>.</param>
/// <param name="Symbols">Its symbols with run-time addresses.</param>
/// <param name="Orc">Its ORC tables; an empty one when it has none.</param>
internal sealed record GuestModule(
    string Name, ulong Address, uint State, GuestRange Core, GuestRange Init, GuestRange CoreText, GuestRange InitText,
    IReadOnlyList<Symbol> Symbols, GuestOrcTable Orc)
{
    /// <summary>Gets the tables that say what its instructions are used for.</summary>
    public ModuleTables Tables { get; init; } = ModuleTables.None;

    /// <summary>Gets the parts of its memory that exist, as <c>SymbolTable.AddModule</c> wants them.</summary>
    public IReadOnlyList<(ulong Start, ulong End)> Ranges =>
        Init.End == 0 ? [(Core.Start, Core.End)] : [(Core.Start, Core.End), (Init.Start, Init.End)];
}
