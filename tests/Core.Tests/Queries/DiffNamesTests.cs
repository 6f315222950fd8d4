using KprobeTrace.Queries;
using Xunit;

namespace KprobeTrace.Tests.Queries;

public sealed class DiffNamesTests
{
    [Fact]
    public void The_same_thing_has_the_same_number_and_another_has_another()
    {
        DiffNames names = new();
        int a = names.Token("p a", 0);
        int[] tokens = [a, names.Token("p a", 1), names.Token("p b", 0), names.Token("r a", 0)];
        int[] calls = [names.Call(a, ""), names.Call(a, "x"), names.Call(tokens[1], "x"), names.Call(tokens[2], "x")];

        Assert.Equal(4, tokens.Distinct().Count());
        Assert.Equal(4, calls.Distinct().Count());
        Assert.Equal(tokens, (int[])[names.Token("p a", 0), names.Token("p a", 1), names.Token("p b", 0), names.Token("r a", 0)]);
        Assert.Equal(calls, (int[])[names.Call(a, ""), names.Call(a, "x"), names.Call(tokens[1], "x"), names.Call(tokens[2], "x")]);
        names.ForgetCallers(calls);
        Assert.Equal([tokens[0], tokens[0], tokens[1], tokens[2]], calls);
    }

    [Theory]
    [InlineData("kworker/0:1", "kworker/12:345", true)]
    [InlineData("kworker/0:1", "kworker/0:1H", false)]
    [InlineData("1", "23", true)]
    [InlineData("a1b", "ab", false)]
    [InlineData("a1", "a", false)]
    [InlineData("a1", "a#", true)]
    [InlineData("a#1", "a1", true)]
    [InlineData("Sh", "sh", false)]
    [InlineData("", "", true)]
    [InlineData("", "1", false)]
    [InlineData("é٣", "é٤", false)] // only ASCII digits are numbers of workers
    public void Tasks_are_of_one_group_where_their_names_differ_in_numbers_alone(string first, string second, bool same)
    {
        DiffNames names = new();

        Assert.Equal(same, names.Group(first) == names.Group(second));
        Assert.Equal(same ? 1 : 2, names.GroupCount);
    }

    [Fact]
    public void The_last_of_4096_groups_takes_all_further_names()
    {
        DiffNames names = new();
        int[] groups = [.. Enumerable.Range(0, 4100).Select(i => names.Group(new string('x', i)))];

        Assert.Equal([.. Enumerable.Range(0, 4096), 4095, 4095, 4095, 4095], groups);
        Assert.Equal(4096, names.GroupCount);
        Assert.Equal((0, 4095), (names.Group(""), names.Group(new string('x', 4095))));
    }
}
