using System.Runtime.InteropServices;

namespace KprobeTrace.Store;

/// <summary>A row of <c>kt_fault</c>.</summary>
/// <remarks>The fields are the table's columns, in their order.</remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct FaultRow
{
    internal long? Run;
    internal long? Seq;
    internal long? Vector;
    internal long? ErrorCode;
    internal long? Cr2;
    internal long? Handled;
}
