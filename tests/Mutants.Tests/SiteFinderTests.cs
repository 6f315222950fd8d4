using Xunit;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Where a file counts.</summary>
public sealed class SiteFinderTests
{
    [Theory]
    [InlineData("src/Core/Cpu/Decode/Block.cs", "Cpu")]
    [InlineData("src/Core/Store/Import.cs", "Store")]
    [InlineData("src/Core/FileName.cs", "Core")]
    [InlineData("src/Tools/Errno.cs", "Tools")]
    [InlineData("src/kprobe-report/Verbs/Hist.cs", "kprobe-report")]
    public void A_file_counts_for_its_folder(string file, string folder) => Assert.Equal(folder, SiteFinder.FolderOf(file));
}
