using Xunit;

namespace KprobeTrace.Tests.Devices;

/// <summary>A test that needs a program on the search path and is skipped, with the reason, when it is not there.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class FactWithToolAttribute : FactAttribute
{
    public FactWithToolAttribute(string tool)
    {
        Tool = tool;
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        if (!folders.Any(folder => File.Exists(Path.Combine(folder, tool))))
        {
            Skip = $"{tool} is not installed (Debian: acpica-tools)";
        }
    }

    public string Tool { get; }
}
