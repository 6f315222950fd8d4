using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Files;

/// <summary>
/// A test of a file that a package of the host brings. Where it is absent the test is skipped with the reason, or runs and
/// fails when KPROBETRACE_REQUIRE_GUESTS is 1.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class HostPathFactAttribute : FactAttribute
{
    public HostPathFactAttribute(string path, string package)
    {
        Path = path;
        Package = package;
        if (!File.Exists(path) && !StockGuest.Required)
        {
            Skip = $"{path} is not there (Debian: {package})";
        }
    }

    public string Path { get; }

    public string Package { get; }
}
