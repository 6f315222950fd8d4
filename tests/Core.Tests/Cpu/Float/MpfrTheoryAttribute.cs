using Xunit;

namespace KprobeTrace.Tests.Cpu.Float;

/// <summary>A table of tests that need the MPFR reference, which <c>tests/Transcendental/build.sh</c> builds; skipped with the reason elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MpfrTheoryAttribute : TheoryAttribute
{
    public MpfrTheoryAttribute() =>
        Skip = Program is null ? "KPROBETRACE_MPFR does not name the program that tests/Transcendental/build.sh builds" : null;

    public static string? Program { get; } = Environment.GetEnvironmentVariable("KPROBETRACE_MPFR") is { Length: > 0 } path ? path : null;
}
