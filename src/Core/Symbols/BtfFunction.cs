namespace KprobeTrace.Symbols;

/// <summary>A function as BTF describes it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Parameters">Its parameters in order.</param>
/// <param name="ReturnType">Number of the type it returns; 0 for void.</param>
public sealed record BtfFunction(string Name, IReadOnlyList<BtfParameter> Parameters, int ReturnType);
