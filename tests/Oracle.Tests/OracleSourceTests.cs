using System.Security.Cryptography;

namespace KprobeTrace.Tests.Oracle;

public sealed class OracleSourceTests
{
    [Fact]
    public void The_committed_executable_was_built_from_the_committed_sources()
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "Oracle");
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        hash.AppendData(File.ReadAllBytes(Path.Combine(folder, "oracle.c")));
        hash.AppendData(File.ReadAllBytes(Path.Combine(folder, "oracle.lds")));
        hash.AppendData(File.ReadAllBytes(Path.Combine(folder, "build.sh")));
        string actual = Convert.ToHexStringLower(hash.GetHashAndReset());

        string recorded = File.ReadAllText(Path.Combine(folder, "oracle.source.sha256")).Trim();
        Assert.True(actual == recorded, "tests/Oracle: the sources have changed since the executable was built; run tests/Oracle/build.sh");
    }
}
