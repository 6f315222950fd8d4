using Xunit;

namespace KprobeTrace.Tests;

/// <summary>What can be no file's name.</summary>
public sealed class FileNameTests
{
    [Theory]
    [InlineData("", "the name of the console's file is empty; name a file")]
    [InlineData("\0", "the name of the console's file holds a NUL; name a file")]
    [InlineData("a\0", "the name of the console's file holds a NUL; name a file")]
    [InlineData("a\0b", "the name of the console's file holds a NUL; name a file")]
    public void Empty_name_and_one_with_a_NUL_are_refused(string name, string message) =>
        Assert.Equal(message, Assert.Throws<KprobeTraceException>(() => FileName.Require(name, "console's file")).Message);

    [Theory]
    [InlineData("a")]
    [InlineData(" ")]
    [InlineData("0")]
    [InlineData("no/such/folder\n")]
    public void Any_other_name_may_be_one(string name) => Assert.Null(Record.Exception(() => FileName.Require(name, "trace")));
}
