namespace KprobeTrace.Probes;

/// <summary>A parameter of a function.</summary>
/// <param name="Name">Its name, empty when it has none.</param>
/// <param name="Type">Its type.</param>
internal readonly record struct ProbeVariable(string Name, int Type);
