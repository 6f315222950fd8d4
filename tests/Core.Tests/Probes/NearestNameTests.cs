using Xunit;

namespace KprobeTrace.Tests.Probes;

public sealed class NearestNameTests
{
    private static readonly string[] _names =
        ["vfs_read", "vfs_write", "vfs_open", "ksys_read", "__x64_sys_openat", "do_sys_openat2", "x", "io_read"];

    [Theory]
    [InlineData("vfs_raed", "vfs_read")]
    [InlineData("vfs_red", "vfs_read")]
    [InlineData("vfs_readd", "vfs_read")]
    [InlineData("vfs_rexd", "vfs_read")]
    [InlineData("VFS_read", "vfs_read")]
    [InlineData("sys_openat", "do_sys_openat2 __x64_sys_openat")]
    [InlineData("sys_read", "ksys_read")]
    [InlineData("vfs_", "vfs_open vfs_read vfs_write")]
    [InlineData("xy", "x")]
    [InlineData("nothing_like_it", "")]
    [InlineData("vfs_read", "")]
    [InlineData("", "")]
    public void Names_with_the_fewest_letters_wrong_come_first_or_else_those_that_contain_it(string name, string expected) =>
        Assert.Equal(expected, string.Join(' ', NearestName.Find(name, _names)));

    [Theory]
    [InlineData("vfs_reed", "; did you mean vfs_read?")]
    [InlineData("vfs_rite", "; did you mean vfs_write?")]
    [InlineData("aaab", "; did you mean aaaa, aaac or aaad?")]
    [InlineData("unlike", "")]
    public void Question_names_three_at_most(string name, string expected) =>
        Assert.Equal(expected, NearestName.Ask(name, [.. _names, "aaaa", "aaac", "aaad", "aaae"]));

    /// <summary>A third of the letters may be wrong, one at least and three at most.</summary>
    [Theory]
    [InlineData("a", "b", true)]
    [InlineData("ab", "cb", true)]
    [InlineData("ab", "cd", false)]
    [InlineData("abcde", "xbcde", true)]
    [InlineData("abcde", "xxcde", false)]
    [InlineData("abcdef", "xxcdef", true)]
    [InlineData("abcdef", "xxxdef", false)]
    [InlineData("abcdefgh", "xxxdefgh", false)]
    [InlineData("abcdefghi", "xxxdefghi", true)]
    [InlineData("abcdefghijkl", "xxxxefghijkl", false)]
    [InlineData("abcdefghijkl", "abcdefghi", true)]
    [InlineData("abcdefghijkl", "abcdefgh", false)]
    [InlineData("abcdefghijkl", "abcdefghijklmno", true)]
    [InlineData("abcd", "xxabcdxx", true)]
    [InlineData("abc", "xxabcxx", false)]
    [InlineData("ABCD", "xxabcdxx", true)]
    [InlineData("abcdefgh", "badcfehg", false)]
    [InlineData("abcdef", "bacdfe", true)]
    public void Number_of_wrong_letters_that_a_misspelling_may_have(string name, string candidate, bool found) =>
        Assert.Equal(found ? [candidate] : [], NearestName.Find(name, [candidate]));

    [Fact]
    public void Longest_misspelling_has_255_letters()
    {
        string name = new('a', 255);

        Assert.Equal([name[1..]], NearestName.Find(name, [name[1..]]));
        Assert.Equal([name[3..]], NearestName.Find(name, [name[3..]]));
        Assert.Empty(NearestName.Find(name + "a", [name]));
    }

    [Fact]
    public void Among_many_names_those_are_found_that_a_slow_search_finds()
    {
        Random random = new(77);
        for (int round = 0; round < 3000; round++)
        {
            string name = Draw(random, 1, 10);
            string[] candidates = [.. Enumerable.Range(0, random.Next(1, 9)).Select(_ => Draw(random, 0, 14)).Distinct(StringComparer.Ordinal)];

            Assert.Equal(Slowly(name, candidates), NearestName.Find(name, candidates));
        }
    }

    private static string Draw(Random random, int least, int most) =>
        string.Concat(Enumerable.Range(0, random.Next(least, most)).Select(_ => (char)('a' + random.Next(3))));

    /// <summary>Sorts all candidates by what is wrong with them, by length and by name, and takes the best.</summary>
    private static string[] Slowly(string name, string[] candidates)
    {
        int most = name.Length < 6 ? 1 : name.Length < 9 ? 2 : 3;
        (int Wrong, string Name)[] near = [.. candidates.Where(c => c != name).Select(c => (Wrong(name, c), c)).Where(c => c.Item1 <= most)];
        (int Wrong, string Name)[] found = near.Length > 0 ? near
            : [.. candidates.Where(c => c != name && name.Length >= 4 && c.Contains(name, StringComparison.Ordinal)).Select(c => (0, c))];
        return [.. found.Where(f => f.Wrong == found.Min(g => g.Wrong)).OrderBy(f => f.Name.Length).ThenBy(f => f.Name, StringComparer.Ordinal).Take(3).Select(f => f.Name)];
    }

    /// <summary>Letters replaced, inserted, removed or exchanged with their neighbour, from the ends of both names on.</summary>
    private static int Wrong(ReadOnlySpan<char> a, ReadOnlySpan<char> b)
    {
        int[,] wrong = new int[a.Length + 1, b.Length + 1];
        for (int i = a.Length; i >= 0; i--)
        {
            for (int j = b.Length; j >= 0; j--)
            {
                int least = i == a.Length && j == b.Length ? 0 : int.MaxValue;
                least = i < a.Length ? Math.Min(least, wrong[i + 1, j] + 1) : least;
                least = j < b.Length ? Math.Min(least, wrong[i, j + 1] + 1) : least;
                least = i < a.Length && j < b.Length ? Math.Min(least, wrong[i + 1, j + 1] + (a[i] == b[j] ? 0 : 1)) : least;
                bool exchanged = i + 1 < a.Length && j + 1 < b.Length && a[i] == b[j + 1] && a[i + 1] == b[j];
                wrong[i, j] = exchanged ? Math.Min(least, wrong[i + 2, j + 2] + 1) : least;
            }
        }

        return wrong[0, 0];
    }
}
