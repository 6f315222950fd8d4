using System.Runtime.InteropServices;

namespace KprobeTrace.Cpu.State;

/// <summary>A recently executed block, found by the linear address it starts at.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct JumpCacheEntry
{
    /// <summary>Linear address of the block's first instruction.</summary>
    public ulong Rip;

    /// <summary>First operation of the block.</summary>
    public Op* Target;
}
