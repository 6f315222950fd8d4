using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>A lane operation whose code is compiled into its handler.</summary>
internal unsafe interface ILaneOperation
{
    /// <summary>dst = f(dst, src).</summary>
    public static abstract void Apply(Xmm* dst, Xmm* src);
}
