using Iced.Intel;
using KprobeTrace.Cpu.Decode;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Holds docs/instructions.md to the table. With UPDATE_GOLDEN=1 its lists are written anew.</summary>
public sealed class InstructionPageTests
{
    [Fact]
    public void The_page_lists_the_table()
    {
        string path = Repository.PathOf("docs/instructions.md");
        string page = File.ReadAllText(path);
        string introduction = page[..(page.IndexOf("\n## ", StringComparison.Ordinal) + 1)];
        string expected = introduction + string.Join('\n', Lists());
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            File.WriteAllText(path, page = expected);
        }

        Assert.Equal(expected.Split('\n'), page.Split('\n'));
    }

    private static IEnumerable<string> Lists()
    {
        ILookup<string, Instruction> encodings = InstructionTableTests.Sample.ToLookup(found => InstructionTableTests.NameOf(InstructionTable.Of(found.Instruction)), found => found.Instruction);
        foreach (IGrouping<InstructionFamily, InstructionRow> family in InstructionTable.Rows[1..].ToArray().GroupBy(row => row.Family))
        {
            yield return $"## {family.Key}";
            yield return "| instruction | CPUID | LOCK | looked at before | reads | changes |";
            yield return "|---|---|---|---|---|---|";
            foreach (InstructionRow row in family)
            {
                yield return Line(row, [.. encodings[InstructionTableTests.NameOf(row)]]);
            }

            yield return "";
        }
    }

    private static string Line(InstructionRow row, Instruction[] encodings)
    {
        IEnumerable<CpuidFeature> features = encodings.SelectMany(i => i.CpuidFeatures).Distinct().Where(feature => !IsGeneration(feature)).Order();
        RflagsBits read = encodings.Aggregate(RflagsBits.None, (bits, i) => bits | i.RflagsRead);
        RflagsBits changed = encodings.Aggregate(RflagsBits.None, (bits, i) => bits | i.RflagsModified);
        return $"| `{InstructionTableTests.NameOf(row)}` | {string.Join(", ", features)} | {((row.Traits & InstructionTraits.Lockable) != 0 ? "yes" : "")} | {Words(row.Checks)} | {Words(read)} | {Words(changed)} |";
    }

    // What a processor of some age has, without a bit that says so.
    private static bool IsGeneration(CpuidFeature feature) => feature.ToString().StartsWith("INTEL", StringComparison.Ordinal) || feature == CpuidFeature.X64;

    private static string Words<T>(T bits)
        where T : struct, Enum => Convert.ToInt32(bits, null) == 0 ? "" : bits.ToString();
}
