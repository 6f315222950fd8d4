using System.Security.Cryptography;
using Xunit;

namespace KprobeTrace.Tests.Guests;

/// <summary>
/// Holds the committed guest images against the sources they were built from, without a compiler: beside each image lies the list
/// of checksums that its build.sh wrote.
/// </summary>
public sealed class BuiltImageTests
{
    [Fact]
    public void Demo_kernel_was_built_from_the_sources_beside_it() =>
        AssertMatchesSources("guests/demo/demo.sources", "guests/demo/build.sh", "guests/common", "guests/demo/kernel", "guests/demo/user");

    [Fact]
    public void Benchmark_guests_were_built_from_the_sources_beside_them() =>
        AssertMatchesSources("bench/loops/loops.sources", "bench/loops/build.sh", "guests/common", "bench/loops");

    private static void AssertMatchesSources(string list, string script, params string[] folders)
    {
        Dictionary<string, string> recorded = [];
        foreach (string line in File.ReadLines(Repository.PathOf(list)))
        {
            recorded.Add(Repository.PathOf(line[66..]), line[..64]);
        }

        IEnumerable<string> sources = folders.SelectMany(folder => Directory.EnumerateFiles(Repository.PathOf(folder))).Where(path => !path.EndsWith(".sources", StringComparison.Ordinal));

        Assert.Superset(sources.ToHashSet(), recorded.Keys.ToHashSet());
        foreach ((string path, string checksum) in recorded)
        {
            string actual = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));
            Assert.True(checksum == actual, $"{path} is not what {list} says the image was built from: run {script} and commit its results.");
        }
    }
}
