using System.Globalization;
using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Tests.Oracle;

/// <summary>What is compared, and what is excused as not declared, against what CPUID says.</summary>
public sealed unsafe class DeclaredFeatureTests
{
    private static readonly Dictionary<string, (uint Leaf, uint Subleaf, string Register, int Bit)> _bits = TableFile.Lines("cpuid.txt")
        .ToDictionary(
            fields => fields[0],
            fields => (
                uint.Parse(fields[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture),
                uint.Parse(fields[2], CultureInfo.InvariantCulture),
                fields[3],
                int.Parse(fields[4], CultureInfo.InvariantCulture)));

    [Fact]
    public void Every_instruction_set_in_scope_is_declared()
    {
        Assert.Equal([], TableFile.Lines("features.txt").Select(fields => fields[0]).Where(name => _bits.ContainsKey(name) && !IsDeclared(name)));
    }

    [Fact]
    public void No_instruction_set_that_is_excused_as_undefined_is_declared()
    {
        string[] excused = EncodingTable.Rows.Where(row => row.Does == "ud" && char.IsUpper(row.Key[0])).Select(row => row.Key).ToArray();

        Assert.True(excused.Length > 20, $"{excused.Length} rows");
        Assert.Equal([], excused.Where(name => !_bits.ContainsKey(name)));
        Assert.Equal([], excused.Where(IsDeclared));
        Assert.False(IsDeclared("LZCNT"));
    }

    private static bool IsDeclared(string feature)
    {
        (uint leaf, uint subleaf, string register, int bit) = _bits[feature];
        CpuState state = default;
        CpuIdentity.Leaf answer = CpuIdentity.Read(&state, leaf, subleaf);
        uint value = register switch { "eax" => answer.Eax, "ebx" => answer.Ebx, "ecx" => answer.Ecx, _ => answer.Edx };
        return ((value >> bit) & 1) != 0;
    }
}
