namespace KprobeTrace.Tests.Oracle;

/// <summary>What is compared, and what is excused as not declared, against what CPUID says.</summary>
public sealed class DeclaredFeatureTests
{
    [Fact]
    public void Every_instruction_set_in_scope_is_declared()
    {
        Assert.Equal(
            [],
            TableFile.Lines("features.txt").Select(fields => fields[0]).Where(name => FeatureBits.Has(name) && !FeatureBits.IsDeclared(name)));
    }

    [Fact]
    public void No_instruction_set_that_is_excused_as_undefined_is_declared()
    {
        string[] excused = EncodingTable.Rows.Where(row => row.Does == "ud" && char.IsUpper(row.Key[0])).Select(row => row.Key).ToArray();

        Assert.True(excused.Length > 20, $"{excused.Length} rows");
        Assert.Equal([], excused.Where(name => !FeatureBits.Has(name)));
        Assert.Equal([], excused.Where(FeatureBits.IsDeclared));
        Assert.False(FeatureBits.IsDeclared("LZCNT"));
    }
}
