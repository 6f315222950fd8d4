using KprobeTrace.Cpu.Float;

namespace KprobeTrace.Cpu.Simd;

/// <summary>A two-operand x87 operation: destination = Apply(destination, source).</summary>
internal interface IX87Operation
{
    /// <summary>The result.</summary>
    public static abstract Float80 Apply(Float80 destination, Float80 source, ref FloatStatus status);
}
