using System.Text;
using KprobeTrace.Store;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Store;

public sealed class ImportedProbeTests
{
    [Theory]
    [InlineData("x", "x")]
    [InlineData("dfd,name", "dfd name")]
    [InlineData("a_1,B2", "a_1 B2")]
    [InlineData("a-b,a.b,ä", "a_b a_b_ _")] // what no column may be called is reduced, and told apart
    [InlineData("x,X,x", "x X_ x__")]
    [InlineData("x,x_,x", "x x_ x__")]
    [InlineData(",a,", "arg1 a arg3")]
    [InlineData("arg2,", "arg2 arg2_")]
    public void Arguments_have_names_that_columns_may_have(string names, string expected)
    {
        ImportedProbe probe = Probe(names);

        Assert.Equal(expected, string.Join(' ', probe.Arguments.Select(static a => a.Name)));
        Assert.Equal(names.Split(',').Select(static (_, i) => $"t{i}"), probe.Arguments.Select(static a => a.Type));
        Assert.Equal(
            probe.Arguments.Select(static (a, i) => $"{(i == 0 ? '{' : ',')}\"{a.Name}\":"), probe.ArgumentKeys.Select(Encoding.UTF8.GetString));
    }

    [Theory]
    [InlineData(127, true)]
    [InlineData(128, true)]
    [InlineData(129, false)]
    public void Name_of_more_than_128_characters_gives_way_to_a_number(int length, bool stays)
    {
        string name = new('n', length);

        Assert.Equal(stays ? name : "arg1", Assert.Single(Probe(name).Arguments).Name);
    }

    [Fact]
    public void Latest_definition_holds()
    {
        ImportedProbe probe = Probe("a,b");
        TraceProbe other = Definition("c");

        probe.Redefine(other);

        Assert.Same(other, probe.Definition);
        Assert.Equal("c", Assert.Single(probe.Arguments).Name);
        Assert.Equal("{\"c\":", Encoding.UTF8.GetString(Assert.Single(probe.ArgumentKeys)));
    }

    private static ImportedProbe Probe(string names) => new(Definition(names), new SequenceSpool.List());

    private static TraceProbe Definition(string names) =>
        new() { Id = 0, Type = 'p', Name = "probe", Arguments = [.. names.Split(',').Select(static (n, i) => new TraceArgument(n, $"t{i}"))] };
}
