using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>Bytes laid over the pristine memory before a case.</summary>
internal readonly record struct MemoryPatch(uint Offset, byte[] Bytes);

/// <summary>One instruction with everything it can see.</summary>
internal sealed class TestCase
{
    public required Code Form { get; init; }

    public required int Index { get; init; }

    public required byte[] Bytes { get; init; }

    public required Instruction Instruction { get; init; }

    /// <summary>From the start of the code pages.</summary>
    public required uint CodeOffset { get; init; }

    public required ProcessorState Initial { get; init; }

    public required IReadOnlyList<MemoryPatch> Patches { get; init; }

    /// <summary>Whether int3 follows the instruction instead of a jump: for everything that may continue elsewhere.</summary>
    public required bool StopsAtBreakpoint { get; init; }

    public ulong Address => OracleLayout.CodeBase + CodeOffset;

    public ulong NextAddress => Address + (ulong)Bytes.Length;
}
