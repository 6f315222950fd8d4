using Xunit;

namespace KprobeTrace.Tests.Mutants;

/// <summary>The list of faults that change nothing.</summary>
public sealed class ArguedFaultsTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    [Fact]
    public void A_fault_of_the_list_has_its_reason_and_no_other_has()
    {
        List<Site> sites = Snippet.Sites("int a = 1; return a - 1;");
        Fault listed = sites.First(site => site.Fault.Operator == "arithmetic").Fault;
        File.WriteAllLines(_path, ["# a comment", "", $"{listed.File}\t{listed.Before}\t{listed.After}\tbecause", "src/Core/Store/C.cs\tgone\tgone too\tonce"]);

        ArguedFaults argued = new(_path);

        Assert.Equal("because", argued.ReasonOf(listed));
        Assert.All(sites.Select(site => site.Fault).Where(fault => fault != listed), fault => Assert.Null(argued.ReasonOf(fault)));
        Assert.Equal(["src/Core/Store/C.cs: gone  →  gone too"], argued.Stale(sites));
    }

    [Fact]
    public void A_line_without_a_reason_is_refused()
    {
        File.WriteAllLines(_path, ["src/Core/Store/C.cs\ta\tb"]);

        Assert.Throws<FormatException>(() => new ArguedFaults(_path));
    }

    [Fact]
    public void A_list_that_is_not_there_is_empty() => Assert.Null(new ArguedFaults(_path + ".absent").ReasonOf(new Fault("a", "b", "c", "d")));

    public void Dispose() => File.Delete(_path);
}
