namespace KprobeTrace.Export;

/// <summary>An argument of a probe, for exports.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type as the definition spells it.</param>
/// <param name="IsText">True where its values are texts (or arrays, which are exported as JSON text).</param>
internal sealed record ExportArgument(string Name, string Type, bool IsText);
