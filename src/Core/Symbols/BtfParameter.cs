namespace KprobeTrace.Symbols;

/// <summary>One parameter of a function.</summary>
/// <param name="Name">Its name; empty for the dots of a variadic function.</param>
/// <param name="Type">Number of its type; 0 for the dots.</param>
public readonly record struct BtfParameter(string Name, int Type);
