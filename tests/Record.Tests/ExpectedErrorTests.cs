using KprobeTrace.Record;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>What kprobe-record makes of whatever goes wrong as it may: an exit status and its lines, and nothing where the reader has left.</summary>
public sealed class ExpectedErrorTests
{
    private static readonly (Exception Thrown, int Status, string[] Said)[] _cases =
    [
        (new KprobeTraceException("x: no such file"), 1, ["x: no such file"]),
        (new PlainIOException("standard output: the disk is full", 28), 1, ["standard output: the disk is full"]),
        (new PlainIOException("standard output cannot be written: Broken pipe", 32), 0, []),
        (new IOException("broken", 32), 0, []),
        (new IOException("Input/output error : '/x'", 5), 1, ["a file cannot be read or written: the disk or device reports an error"]),
        (new UnauthorizedAccessException("x"), 1, ["a file cannot be read or written: it or its folder may not be written"]),
        (new InsufficientMemoryException(), 1, ["the host has not enough memory for this; raise its limits (ulimit -v, the container's), or give the guest less with --memory"]),
    ];

    [Fact]
    public void Each_has_its_status_and_its_words() => Assert.All(_cases, static c =>
    {
        List<string> said = [];
        Assert.Equal(c.Status, RecordTool.Guard(() => throw c.Thrown, said.Add));
        Assert.Equal(c.Said, said);
    });

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Nothing_is_said_where_nothing_goes_wrong(int status) => Assert.Equal(status, RecordTool.Guard(() => status, static _ => Assert.Fail("there was nothing to say")));

    [Fact]
    public void A_bug_is_no_expected_error() =>
        Assert.Throws<InvalidOperationException>(static () => RecordTool.Guard(static () => throw new InvalidOperationException(), static _ => { }));
}
