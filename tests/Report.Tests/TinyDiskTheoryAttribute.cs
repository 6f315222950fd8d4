using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>Cases that mount a file system; skipped where the user may not.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class TinyDiskTheoryAttribute : TheoryAttribute
{
    public TinyDiskTheoryAttribute() => Skip = TinyDiskFactAttribute.Missing;
}
