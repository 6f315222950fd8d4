using Xunit;

namespace KprobeTrace.Tests.Record.Outputs;

/// <summary>
/// What both tools write for the same input stays as it is, to the byte: outputs-*.txt hold a hash of everything that a session of
/// commands prints and leaves behind. A change that is meant is taken over with UPDATE_GOLDEN=1.
/// </summary>
public sealed class OutputTests
{
    [Fact]
    public void The_demo_kernel_s_session_writes_what_it_wrote_before() => Check("outputs-demo.txt");

    [PinnedKernelFact("outputs-cloud.txt")]
    public void The_cloud_kernel_s_session_writes_what_it_wrote_before() => Check("outputs-cloud.txt");

    private static void Check(string table)
    {
        string path = Repository.PathOf("tests/Record.Tests/Outputs/" + table);
        string[] before = File.ReadAllLines(path);
        using Session session = new();

        string[] now = [.. before.Select(line => line.StartsWith('#') || line.StartsWith("kernel ", StringComparison.Ordinal) ? line : $"{session.Run(Command(line))}  {Command(line)}")];
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            File.WriteAllLines(path, now);
        }

        Assert.Equal(before, now);
    }

    // What stands behind the hash.
    private static string Command(string line) => line[(line.IndexOf("  ", StringComparison.Ordinal) + 2)..];
}
