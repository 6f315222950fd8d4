namespace KprobeTrace.Fuzz.Engine;

/// <summary>What one input may take.</summary>
internal static class FuzzLimits
{
    /// <summary>Time after which an input hangs; generous, since both cores may be busy with something else.</summary>
    public static readonly TimeSpan Time = TimeSpan.FromSeconds(20);

    /// <summary>Resident memory that a process of inputs may have gained after a collection.</summary>
    public const long Resident = 600L << 20;

    /// <summary>The managed heap's hard limit: beyond it allocations fail, which is a failure of the input.</summary>
    public const string HeapLimit = "0x40000000";
}
