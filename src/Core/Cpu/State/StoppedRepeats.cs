using System.Runtime.CompilerServices;

namespace KprobeTrace.Cpu.State;

/// <summary>Repeated instructions that have stopped between elements under a breakpoint, the latest last.</summary>
internal struct StoppedRepeats
{
    /// <summary>How deep debug handlers that are interrupted in turn are followed.</summary>
    public const int Most = 8;

    /// <summary>How many there are.</summary>
    public int Count;

    /// <summary>How many instructions had retired when the last IRET had, -1 before the first.</summary>
    public long Returned;

    /// <summary>The first <see cref="Count"/> are in use.</summary>
    public Items At;

    /// <summary>None, and no IRET yet.</summary>
    public static StoppedRepeats None => new() { Returned = -1 };

    /// <summary>Room for <see cref="Most"/>.</summary>
    [InlineArray(Most)]
    public struct Items
    {
        private StoppedRepeat _first;
    }
}
