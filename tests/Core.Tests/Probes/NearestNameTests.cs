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
}
