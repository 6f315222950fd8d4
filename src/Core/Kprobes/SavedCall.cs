using System.Runtime.InteropServices;

namespace KprobeTrace.Kprobes;

/// <summary>A call that a return probe of a saved guest waits for.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct SavedCall
{
    /// <summary>Which of the saved probes it is, from 0.</summary>
    public int Probe;

    /// <summary>Where the function returns to.</summary>
    public ulong RetAddr;

    /// <summary>The stack slot that holds the return address.</summary>
    public ulong Frame;

    /// <summary>The task that made the call.</summary>
    public ulong Task;

    /// <summary>What the entry handler left for the return handler.</summary>
    public ulong Token;
}
