namespace KprobeTrace.Tests.Guests;

/// <summary>The stock kernels and the initramfs that guests/fetch.sh puts into guests/stock.</summary>
internal static class StockGuest
{
    private static readonly string[] _files = ["vmlinuz-cloud", "vmlinuz-amd64", "initramfs.cpio.gz", "VERSIONS"];

    /// <summary>Why tests with stock kernels cannot run here, or null when they can.</summary>
    public static string? Missing { get; } =
        Array.Find(_files, file => !File.Exists(Locate(file))) is string missing
            ? $"guests/stock/{missing} is absent: run guests/fetch.sh on a machine with apt."
            : null;

    /// <summary>Whether absence is a failure and not a reason to skip: KPROBETRACE_REQUIRE_GUESTS is 1.</summary>
    public static bool Required { get; } = Environment.GetEnvironmentVariable("KPROBETRACE_REQUIRE_GUESTS") == "1";

    /// <summary>Debian's kernel for virtual machines.</summary>
    public static string CloudKernel => PathOf("vmlinuz-cloud");

    /// <summary>Debian's kernel for everything.</summary>
    public static string GenericKernel => PathOf("vmlinuz-amd64");

    /// <summary>The initramfs for both.</summary>
    public static string Initramfs => PathOf("initramfs.cpio.gz");

    /// <summary>The path of a file in guests/stock, which must be there.</summary>
    public static string PathOf(string file)
    {
        string path = Locate(file);
        return File.Exists(path) || Directory.Exists(path)
            ? path
            : throw new FileNotFoundException($"guests/stock/{file} is absent: run guests/fetch.sh on a machine with apt.");
    }

    private static string Locate(string file) => Repository.PathOf("guests/stock/" + file);
}
