using Xunit;

namespace KprobeTrace.Tests;

/// <summary>What failed accesses to files are called.</summary>
public sealed class FileErrorsTests
{
    /// <summary>Numbers of errno(3) on x86 and Arm, and what a user is told.</summary>
    [Theory]
    [InlineData(5, "the disk or device reports an error")]
    [InlineData(6, "no device answers there")]
    [InlineData(11, "another program uses it")]
    [InlineData(16, "another program uses it")]
    [InlineData(17, "it exists already")]
    [InlineData(19, "no device answers there")]
    [InlineData(20, "a part of its path is no folder")]
    [InlineData(21, "it is a directory")]
    [InlineData(23, "too many files are open (ulimit -n)")]
    [InlineData(24, "too many files are open (ulimit -n)")]
    [InlineData(26, "another program uses it")]
    [InlineData(27, "it would become larger than files may be (ulimit -f)")]
    [InlineData(28, "the disk is full")]
    [InlineData(29, "it is a pipe, not a file")]
    [InlineData(30, "its file system may only be read")]
    [InlineData(32, "its reader has gone away")]
    [InlineData(36, "its name is longer than a file's name may be")]
    [InlineData(40, "its symbolic links lead in a circle")]
    [InlineData(112, "the disk is full")]
    [InlineData(116, "its file server no longer has it")]
    [InlineData(122, "the disk quota is used up")]
    [InlineData(1, "Operation not permitted (error 1)")]
    [InlineData(22, "Invalid argument (error 22)")]
    [InlineData(199, "Unknown error 199 (error 199)")]
    [InlineData(200, "the system refuses it")]
    [InlineData(0, "the system refuses it")]
    public void Number_of_the_system_is_a_sentence(int number, string sentence)
    {
        Assert.Equal(sentence, FileErrors.Reason(new IOException("words for programmers", number)));
        Assert.Equal(sentence, FileErrors.Reason(new IOException("words for programmers", unchecked((int)0x80070000) | number)));
    }

    public static TheoryData<Exception, string> Exceptions => new()
    {
        { new PlainIOException("a sentence already", 5), "a sentence already" },
        { new PlainIOException("a sentence already", 28), "the disk is full" },
        { new DirectoryNotFoundException(), "its folder does not exist" },
        { new FileNotFoundException(), "it is not there" },
        { new PathTooLongException(), "its name is longer than a file's name may be" },
        { new UnauthorizedAccessException(), "it or its folder may not be written" },
        { new NotSupportedException(), "it is no file of a kind that this can be done with" },
        { new ArgumentException("x"), "the system refuses it" },
    };

    [Theory]
    [MemberData(nameof(Exceptions), DisableDiscoveryEnumeration = true)]
    public void Kind_of_exception_is_a_sentence(Exception exception, string sentence) => Assert.Equal(sentence, FileErrors.Reason(exception));

    [Theory]
    [InlineData(27, false)]
    [InlineData(28, true)]
    [InlineData(29, false)]
    [InlineData(111, false)]
    [InlineData(112, true)]
    [InlineData(113, false)]
    public void Disk_is_full_by_the_number_of_Linux_or_of_Windows(int number, bool full)
    {
        Assert.Equal(full, FileErrors.IsDiskFull(new IOException("x", number)));
        Assert.Equal(full, FileErrors.IsDiskFull(new PlainIOException("x", number)));
        Assert.False(FileErrors.IsDiskFull(new UnauthorizedAccessException("x") { HResult = number }));
    }

    [Fact]
    public void Real_failures_are_told_in_the_same_words()
    {
        string folder = Directory.CreateTempSubdirectory("file-errors-").FullName;
        try
        {
            string file = Path.Combine(folder, "file");
            File.WriteAllText(file, "");
            Assert.Equal("its folder does not exist", FailureOf(() => File.ReadAllText(Path.Combine(folder, "none", "x"))));
            Assert.Equal("it is not there", FailureOf(() => File.ReadAllText(Path.Combine(folder, "x"))));
            Assert.Equal("it exists already", FailureOf(() => File.Open(file, FileMode.CreateNew).Dispose()));
            Assert.Equal("its name is longer than a file's name may be", FailureOf(() => File.ReadAllText(Path.Combine(folder, new string('x', 300)))));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Plain_failure_keeps_its_sentence_and_its_number()
    {
        PlainIOException e = new("the sentence", 32);

        Assert.Equal(("the sentence", 32), (e.Message, e.HResult));
    }

    private static string FailureOf(Action action) => FileErrors.Reason(Assert.ThrowsAny<IOException>(action));
}
