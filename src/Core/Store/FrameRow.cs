using System.Runtime.InteropServices;

namespace KprobeTrace.Store;

/// <summary>A row of <c>kt_frame</c>.</summary>
/// <remarks>The fields are the table's columns, in their order.</remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct FrameRow
{
    internal long? Run;
    internal long? Stack;
    internal long? Depth;
    internal long? Place;
}
