using Xunit;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Survivors of an earlier output are found again.</summary>
public sealed class EarlierSurvivorsTests
{
    private const string Code = "int a = 1; int b = a - 1; return b < 3 ? a : b;";

    [Fact]
    public void What_was_printed_is_read_back()
    {
        foreach (Site site in Snippet.Sites(Code))
        {
            string line = new Mutant(0, site, site.Fault).ToString();

            Assert.All(
                [$"  {line}", $"  {line}  [12 classes of tests come here]", $"  {line}  [no test comes here]", $"SURVIVED    7.5 s {line}", $"SURVIVED 1007.5 s {line}", $"so far      7.5 s {line}"],
                printed => Assert.Equal((site.Fault, site.Line), Assert.Single(EarlierSurvivors.Read([printed]).Select(pair => (pair.Key, pair.Value)))));
            Assert.Empty(EarlierSurvivors.Read([$"killed      7.5 s {line}", $"    {line}", line]));
            Assert.Empty(EarlierSurvivors.Read([$"so far      7.5 s {line}", $"killed      7.5 s {line}"]));
        }
    }

    [Fact]
    public void A_fault_is_found_where_its_code_stands_now()
    {
        Site before = Snippet.Sites(Code)[3];
        List<Site> later = Snippet.Sites("int c = 5;\n\n" + Code);

        Site found = Assert.Single(EarlierSurvivors.Find(later, new() { [before.Fault] = before.Line }, line => Assert.Fail(line)));

        Assert.Equal(before.Fault, found.Fault);
        Assert.Equal(before.Line + 2, found.Line);
    }

    [Fact]
    public void Of_two_that_look_the_same_the_nearer_one_is_taken()
    {
        List<Site> sites = Snippet.Sites("Run(1);\n\n\n\nRun(1);");
        Fault fault = sites.First(site => site.Fault.Operator == "off by one").Fault;
        int[] lines = [.. sites.Where(site => site.Fault == fault).Select(site => site.Line)];

        Assert.Equal(2, lines.Length);
        foreach (int line in lines)
        {
            Assert.Equal(line, Assert.Single(EarlierSurvivors.Find(sites, new() { [fault] = line + 1 }, static _ => { })).Line);
        }
    }

    [Fact]
    public void One_that_is_gone_is_said_to_be()
    {
        Site gone = Snippet.Sites(Code)[0];
        List<string> said = [];

        Assert.Empty(EarlierSurvivors.Find(Snippet.Sites("return 0;"), new() { [gone.Fault] = 11 }, said.Add));
        Assert.StartsWith("gone: src/Core/Store/C.cs:11 ", Assert.Single(said), StringComparison.Ordinal);
    }
}
