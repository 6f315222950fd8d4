namespace KprobeTrace.Guest;

/// <summary>The tables of a module that say what its instructions are used for.</summary>
/// <remarks>They are those of <see cref="GuestTables"/>, found through pointers and counts in <c>struct module</c>.</remarks>
internal sealed record ModuleTables
{
    /// <summary>Gets the tables of a module that has none.</summary>
    public static ModuleTables None { get; } = new();

    /// <summary>Gets the jump-label sites.</summary>
    public CodeSites JumpLabels { get; init; } = CodeSites.None;

    /// <summary>Gets the <c>ud2</c> instructions of BUG and WARN.</summary>
    public CodeSites BugSites { get; init; } = CodeSites.None;

    /// <summary>Gets the instructions that may fault and be fixed up.</summary>
    public CodeSites ExceptionSites { get; init; } = CodeSites.None;

    /// <summary>Gets the inline static-call sites.</summary>
    public CodeSites StaticCalls { get; init; } = CodeSites.None;

    /// <summary>Gets the functions on the module's kprobe blacklist.</summary>
    public IReadOnlyList<ulong> BlacklistedFunctions { get; init; } = [];

    /// <summary>Gets the text that takes no kprobes: <c>.kprobes.text</c> and <c>.noinstr.text</c>.</summary>
    public IReadOnlyList<GuestRange> BlacklistedText { get; init; } = [];
}
