using System.Runtime.InteropServices;

namespace KprobeTrace.Store;

/// <summary>A row of <c>kt_event</c>. What is seldom known stands last: a record may end before it, and reads as NULL there.</summary>
/// <remarks>The fields are the table's columns, in their order.</remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct EventRow
{
    internal long? Run;
    internal long? Seq;
    internal long? TimeNs;
    internal long? Insn;
    internal long? Cpu;
    internal long? Kind;
    internal long? Probe;
    internal long? Pid;
    internal long? Comm;
    internal long? Caller;
    internal long? Args;
    internal long? Link;
    internal long? Stack;
    internal long? Address;
}
