using System.Diagnostics;
using KprobeTrace.Fuzz.Engine;
using Xunit;

namespace KprobeTrace.Fuzz;

public sealed class CorpusTests
{
    private static readonly string _corpus = Path.Combine(AppContext.BaseDirectory, "corpus");

    public static TheoryData<string> TargetsWithCorpus =>
        [.. FuzzTargets.Names.Where(name => Directory.Exists(Path.Combine(_corpus, name)))];

    public static TheoryData<string> Targets => [.. FuzzTargets.Names];

    // In processes of their own: an input that ends the process, or never ends, must fail this test and not the whole run.
    [Theory]
    [MemberData(nameof(TargetsWithCorpus))]
    public void Every_input_that_ever_failed_passes(string target)
    {
        using Process child = FuzzChild.Start("replay", Path.Combine(_corpus, target));
        string output = child.StandardOutput.ReadToEnd();
        child.WaitForExit();

        Assert.True(child.ExitCode == 0, output);
        Assert.Contains(", 0 failures", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_folder_of_inputs_belongs_to_a_target()
    {
        Assert.All(Directory.EnumerateDirectories(_corpus), folder => Assert.Contains(Path.GetFileName(folder), FuzzTargets.Names));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void The_same_seed_gives_the_same_inputs(string name)
    {
        string folder = Environment.CurrentDirectory;
        try
        {
            IFuzzTarget target = FuzzTargets.Create(name);
            for (int index = 0; index < 20; index++)
            {
                Assert.Equal(target.Generate(FuzzRandom.Of(7, index)), target.Generate(FuzzRandom.Of(7, index)));
            }

            Assert.NotEqual(target.Generate(FuzzRandom.Of(7, 0)), target.Generate(FuzzRandom.Of(7, 1)));
        }
        finally
        {
            Environment.CurrentDirectory = folder;
        }
    }

    [Fact]
    public void A_failing_input_is_made_smaller_and_keeps_failing()
    {
        byte[] input = new FuzzRandom(3).Bytes(4000);
        input[1234] = 0xAB;
        input[1235] = 0xCD;
        static bool Fails(byte[] bytes) => bytes.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xAB, 0xCD]) >= 0;

        Assert.Equal([0xAB, 0xCD], Minimizer.Minimize(input, Fails));
    }
}
