using KprobeTrace.Tracing;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>A function of the guest that a history tells of.</summary>
/// <param name="Name">Its symbol; empty where the trace names none.</param>
/// <param name="Address">Where it begins.</param>
/// <param name="Size">Its size as the trace says, 0 for unknown.</param>
/// <param name="Module">Its module, empty for the kernel.</param>
internal sealed record HistoryFunction(string Name, ulong Address, ulong Size, string Module)
{
    /// <summary>Its symbol as the trace holds it.</summary>
    internal TraceSymbol Symbol => new(Address, Size, Name, Module, Module.Length > 0 ? 't' : 'T');
}
