using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Files;

/// <summary>
/// A test of files that tools of the host make. Where any is absent it is skipped with the reason, or runs and fails when
/// KPROBETRACE_REQUIRE_GUESTS is 1.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class HostFileTheoryAttribute : TheoryAttribute
{
    public HostFileTheoryAttribute()
    {
        string[] missing = [.. HostFiles.Rows.SelectMany(static row => row.Tools).Distinct().Where(static tool => !HostFiles.IsInstalled(tool))];
        if (missing.Length > 0 && !StockGuest.Required)
        {
            Skip = $"not installed: {string.Join(", ", missing)} (Debian: the list in .ci/run)";
        }
    }
}
