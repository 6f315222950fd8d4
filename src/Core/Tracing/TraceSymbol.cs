namespace KprobeTrace.Tracing;

/// <summary>A symbol of the guest.</summary>
/// <param name="Address">Address.</param>
/// <param name="Size">Size in bytes, 0 when unknown.</param>
/// <param name="Name">Name.</param>
/// <param name="Module">Module, or empty for the kernel itself.</param>
/// <param name="Kind">Type letter as nm and kallsyms print it: <c>t</c>, <c>T</c>, <c>d</c> …</param>
internal readonly record struct TraceSymbol(ulong Address, ulong Size, string Name, string Module, char Kind);
