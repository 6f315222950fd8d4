using Xunit;

namespace KprobeTrace.Tests.Guests;

/// <summary>
/// A test that runs a guest in QEMU. Where qemu-system-x86_64 is absent it is skipped with the reason, or runs and fails when
/// KPROBETRACE_REQUIRE_GUESTS is 1.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class QemuFactAttribute : FactAttribute
{
    public const string Program = "qemu-system-x86_64";

    public QemuFactAttribute()
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        if (!StockGuest.Required && !folders.Any(folder => File.Exists(Path.Combine(folder, Program))))
        {
            Skip = $"{Program} is absent: install QEMU's x86 system emulator.";
        }
    }
}
