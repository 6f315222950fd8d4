namespace KprobeTrace.Tests.Mutants;

/// <summary>One class of tests, as its run without any fault showed it.</summary>
/// <param name="Project">Its test project.</param>
/// <param name="Name">Its full name.</param>
/// <param name="Milliseconds">How long it ran.</param>
/// <param name="Failing">Tests that fail although nothing is switched on: those that read the sources or machine code, which the planting changed.</param>
/// <param name="Reached">The mutants it came by.</param>
internal sealed record TestClass(string Project, string Name, long Milliseconds, string[] Failing, HashSet<int> Reached)
{
    /// <summary>From here on a class is tried after all shorter ones.</summary>
    public bool IsLong => Milliseconds > 15_000;

    /// <summary>Its name without namespace.</summary>
    public string ShortName => Name[(Name.LastIndexOfAny(['.', '+']) + 1)..];
}
