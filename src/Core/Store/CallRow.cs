using System.Runtime.InteropServices;

namespace KprobeTrace.Store;

/// <summary>A row of <c>kt_call</c>.</summary>
/// <remarks>The fields are the table's columns, in their order.</remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct CallRow
{
    internal long? Run;
    internal long? ReturnSeq;
    internal long? Entry;
    internal long? Probe;
    internal long? Pid;
    internal long? Comm;
    internal long? DurationNs;
    internal long? Retval;
    internal long? Caller;
}
