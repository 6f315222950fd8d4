
namespace KprobeTrace.Tracing;

/// <summary>The 64-bit fields that an event is reduced to before it is delta-coded, and the rules they share.</summary>
/// <remarks>Order and names are part of the trace format; the registers are the first fields.</remarks>
internal static class EventFields
{
    internal const int Ip = 16;
    internal const int Address = TraceRegisters.Count;
    internal const int Caller = 20;
    internal const int Cr2 = 21;

    /// <summary>Sequence number less that of the entry; 0 without an entry.</summary>
    internal const int Back = 22;

    /// <summary>Time since the entry plus one; 0 without an entry time.</summary>
    internal const int Duration = 23;

    /// <summary>Time less retired instructions: the idle time skipped so far.</summary>
    internal const int Idle = 24;

    /// <summary>Index in the chunk's task table.</summary>
    internal const int Task = 25;

    /// <summary>Index in the chunk's stack table plus one; 0 without a stack.</summary>
    internal const int Stack = 26;

    internal const int Cpu = 27;
    internal const int Vector = 28;
    internal const int ErrorCode = 29;

    /// <summary>Fields of an event.</summary>
    internal const int Count = 30;

    /// <summary>Fields of an event in memory: <see cref="Count"/> rounded up to whole vectors.</summary>
    internal const int Stride = 32;

    /// <summary>Fields whose values are code addresses, as a mask.</summary>
    internal const uint AddressMask = (1u << Ip) | (1u << Address) | (1u << Caller);

    /// <summary>Values a field's table of recent values holds.</summary>
    internal const int Slots = 254;

    /// <summary>Code of a field that has the value of the event before.</summary>
    internal const byte AsBefore = 254;

    /// <summary>Code of a field whose difference follows.</summary>
    internal const byte Explicit = 255;

    private static readonly string[] _names =
    [
        .. TraceRegisters.Names,
        "address", "caller", "cr2", "back", "duration", "idle", "task", "stack", "cpu", "vector", "error",
    ];

    /// <summary>The fields' names, the keys of the format.</summary>
    internal static ReadOnlySpan<string> Names => _names;

    /// <summary>The slot that a value has in its field's table of recent values.</summary>
    internal static uint Slot(ulong value) =>
        (uint)(((value * 0x9E3779B97F4A7C15) >> 32) * Slots >> 32);
}
