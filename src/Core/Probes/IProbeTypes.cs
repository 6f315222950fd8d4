namespace KprobeTrace.Probes;

/// <summary>Type information as fetch arguments by name need it. Types are numbers of the implementation's choice.</summary>
internal interface IProbeTypes
{
    /// <summary>The parameters of a function in order, null when the function is not described.</summary>
    public IReadOnlyList<ProbeVariable>? FindParameters(string name);

    /// <summary>Describes a type with names and qualifiers stripped.</summary>
    public ProbeTypeShape Describe(int type);

    /// <summary>Finds a member of a structure or union, also inside unnamed members.</summary>
    public bool TryFindMember(int type, string name, out ProbeMember member);
}
