using System.Runtime.InteropServices;

namespace KprobeTrace.Tests.Oracle;

/// <summary>Whether this host can run the oracle, and why not.</summary>
internal static class HostSupport
{
    public static string? Reason { get; } =
        !OperatingSystem.IsLinux() ? "the processor oracle is a Linux program"
        : RuntimeInformation.OSArchitecture != Architecture.X64 ? "the host processor is no x86-64"
        : !System.Runtime.Intrinsics.X86.Sse42.IsSupported || !System.Runtime.Intrinsics.X86.Popcnt.IsSupported
            ? "the host processor is below x86-64-v2"
        : null;

    /// <summary>Why what AMD's processors do by themselves cannot be compared, or null when it can.</summary>
    public static string? ReasonNotAmd => Reason ?? (IsAmd() ? null : "the host processor is not AMD's");

    private static bool IsAmd()
    {
        const int Auth = 0x68747541;
        return System.Runtime.Intrinsics.X86.X86Base.CpuId(0, 0).Ebx == Auth;
    }
}

/// <summary>A test that needs the host's processor as an oracle; skipped with the reason elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class HostFactAttribute : FactAttribute
{
    public HostFactAttribute() => Skip = HostSupport.Reason;
}

/// <summary>A table of tests that need the host's processor as an oracle; skipped with the reason elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class HostTheoryAttribute : TheoryAttribute
{
    public HostTheoryAttribute() => Skip = HostSupport.Reason;
}

/// <summary>A test that needs a processor of AMD's as an oracle; skipped with the reason elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class AmdFactAttribute : FactAttribute
{
    public AmdFactAttribute() => Skip = HostSupport.ReasonNotAmd;
}
