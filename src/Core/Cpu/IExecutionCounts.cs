namespace KprobeTrace.Cpu;

/// <summary>Counters that the engine itself keeps of how often kernel instructions begin, without any breakpoint.</summary>
/// <remarks>Asked while code is decoded. An instruction that faults and is restarted counts each time, as a probe hit does.</remarks>
internal unsafe interface IExecutionCounts
{
    /// <summary>The counter of the instruction at an address, in unmanaged memory; null when nobody counts it.</summary>
    public long* Find(ulong physical, ulong linear);
}
