using System.Reflection;

namespace KprobeTrace.Record;

/// <summary>The tool's version, without the commit, which would make traces of equal runs differ between builds.</summary>
internal static class ToolVersion
{
    /// <summary>Version number alone.</summary>
    public static string Short { get; } =
        typeof(ToolVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];
}
