namespace KprobeTrace.Tests.Oracle;

/// <summary>How running one case ended.</summary>
internal enum OutcomeKind
{
    /// <summary>The instruction was completed.</summary>
    Completed,

    /// <summary>The instruction raised an exception.</summary>
    Fault,

    /// <summary>The initial state could not be loaded: the generator made it wrong.</summary>
    BadState,

    /// <summary>The instruction did not end in bounded time.</summary>
    Hung,

    /// <summary>The process that ran the instruction died.</summary>
    Crashed,
}

/// <summary>An exception as the architecture reports it.</summary>
/// <param name="Vector">Exception vector.</param>
/// <param name="Error">Error code; 0 for exceptions without one.</param>
/// <param name="Address">CR2 for a page fault, else 0.</param>
internal readonly record struct Fault(int Vector, ulong Error, ulong Address);

/// <summary>An 8-byte word of the writable memory that differs from the pristine memory.</summary>
internal readonly record struct MemoryWord(uint Offset, ulong Value);

/// <summary>The state after one instruction.</summary>
internal sealed class Outcome
{
    public required OutcomeKind Kind { get; init; }

    public required ProcessorState State { get; init; }

    public Fault Fault { get; init; }

    /// <summary>By rising offset.</summary>
    public IReadOnlyList<MemoryWord> Memory { get; init; } = [];
}
