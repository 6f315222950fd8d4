using System.Security.Cryptography;

namespace KprobeTrace.Tests.Guests;

/// <summary>The stock kernels and the initramfs that guests/fetch.sh puts into guests/stock.</summary>
internal static class StockGuest
{
    /// <summary>Kernel images, by name: Debian's own of this release, and of releases with later layouts of kallsyms.</summary>
    public static readonly string[] Kernels = ["vmlinuz-cloud", "vmlinuz-amd64", "vmlinuz-6.12-amd64", "vmlinuz-7-cloud"];

    private static readonly string[] _files = [.. Kernels, "initramfs.cpio.gz", "VERSIONS"];

    /// <summary>Why tests with stock kernels cannot run here, or null when they can.</summary>
    public static string? Missing { get; } = WhyMissing(Repository.PathOf("guests"));

    /// <summary>Whether absence is a failure and not a reason to skip: KPROBETRACE_REQUIRE_GUESTS is 1.</summary>
    public static bool Required { get; } = Environment.GetEnvironmentVariable("KPROBETRACE_REQUIRE_GUESTS") == "1";

    /// <summary>Debian's kernel for virtual machines.</summary>
    public static string CloudKernel => PathOf("vmlinuz-cloud");

    /// <summary>Debian's kernel for everything.</summary>
    public static string GenericKernel => PathOf("vmlinuz-amd64");

    /// <summary>The initramfs for all of them.</summary>
    public static string Initramfs => PathOf("initramfs.cpio.gz");

    /// <summary>The path of a file in guests/stock, which must be there and made by the recipe of today.</summary>
    public static string PathOf(string file)
    {
        string path = Repository.PathOf("guests/stock/" + file);
        return Missing is null && (File.Exists(path) || Directory.Exists(path))
            ? path
            : throw new FileNotFoundException(Missing ?? $"guests/stock/{file} is absent: run guests/fetch.sh on a machine with apt.");
    }

    /// <summary>Why a folder "guests" gives no stock kernels, or null when it does.</summary>
    internal static string? WhyMissing(string guests)
    {
        string stock = Path.Combine(guests, "stock");
        if (Array.Find(_files, file => !File.Exists(Path.Combine(stock, file))) is string missing)
        {
            return $"guests/stock/{missing} is absent: run guests/fetch.sh on a machine with apt.";
        }

        return File.ReadLines(Path.Combine(stock, "VERSIONS")).Contains("recipe " + Recipe(guests))
            ? null
            : "guests/stock was fetched before its recipe changed: run guests/fetch.sh again.";
    }

    /// <summary>Checksum of what guests/stock is made by, as guests/fetch.sh computes it.</summary>
    internal static string Recipe(string guests)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        string[] parts = [.. Directory.EnumerateFiles(Path.Combine(guests, "initramfs")).Order(StringComparer.Ordinal)];
        foreach (string part in (string[])[Path.Combine(guests, "fetch.sh"), Path.Combine(guests, "suites.sh"), .. parts])
        {
            hash.AppendData(File.ReadAllBytes(part));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
