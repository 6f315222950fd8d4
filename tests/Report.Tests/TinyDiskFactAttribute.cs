using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>A test that mounts a file system; skipped where the user may not.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class TinyDiskFactAttribute : FactAttribute
{
    public TinyDiskFactAttribute() => Skip = Missing;

    /// <summary>Why no such file system can be mounted; null where it can.</summary>
    internal static string? Missing { get; } = MayMount() ? null : "this user may not mount a file system of limited size";

    private static bool MayMount()
    {
        string folder = Directory.CreateTempSubdirectory("may-mount-").FullName;
        try
        {
            using TinyDisk disk = new(folder, "64k");
            return true;
        }
        catch (Exception e) when (e is Xunit.Sdk.XunitException or System.ComponentModel.Win32Exception)
        {
            return false;
        }
        finally
        {
            Directory.Delete(folder);
        }
    }
}
