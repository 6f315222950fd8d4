using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>Which of an event's registers lie in which table.</summary>
/// <remarks>
/// Those that calls preserve, and the address space, stand apart from the others: an entry, its return and what lies between
/// share a row of them.
/// </remarks>
internal static class RegisterColumns
{
    private static readonly TraceRegisters _shared = new() { Bx = 1, Bp = 1, R12 = 1, R13 = 1, R14 = 1, R15 = 1, Cr3 = 1 };

    /// <summary>How many registers <c>kt_kept</c> holds.</summary>
    internal const int KeptCount = 7;

    private static readonly int[] _kept = [.. Numbers().Where(IsKept)];
    private static readonly int[] _own = [.. Numbers().Where(static n => !IsKept(n))];

    /// <summary>Numbers of the registers that <c>kt_kept</c> holds, in the order of its columns.</summary>
    internal static ReadOnlySpan<int> Kept => _kept;

    /// <summary>Numbers of the registers that <c>kt_reg</c> holds, in the order of its columns.</summary>
    internal static ReadOnlySpan<int> Own => _own;

    /// <summary>True for a register, by its number, that <c>kt_kept</c> holds.</summary>
    internal static bool IsKept(int number) => _shared.AsReadOnlySpan()[number] != 0;

    private static IEnumerable<int> Numbers() => Enumerable.Range(0, TraceRegisters.Count);
}
