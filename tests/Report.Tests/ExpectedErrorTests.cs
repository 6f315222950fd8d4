using KprobeTrace.Report;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>What kprobe-report makes of results that cannot be written: an exit status and a line, and nothing where the reader has left.</summary>
public sealed class ExpectedErrorTests
{
    private static readonly (Exception Thrown, int Status, string Said)[] _cases =
    [
        (new KprobeTraceException("x: no such file"), 1, "kprobe-report: x: no such file\n"),
        (new PlainIOException("standard output is closed", 9), 1, "kprobe-report: standard output is closed\n"),
        (new IOException("broken", 32), 0, ""),
        (new IOException("full", 28), 1, "kprobe-report: the disk is full: the results are cut off\n"),
        (new IOException("Input/output error : '/x'", 5), 1, "kprobe-report: a file cannot be read or written: the disk or device reports an error\n"),
        (new UnauthorizedAccessException("x"), 1, "kprobe-report: a file cannot be read or written: it or its folder may not be written\n"),
        (new InsufficientMemoryException(), 1, "kprobe-report: the host has not enough memory for this; raise its limits (ulimit -v, the container's)\n"),
        (new OperationCanceledException(), 1, "kprobe-report: interrupted\n"),
    ];

    [Fact]
    public void Each_has_its_status_and_its_words() => Assert.All(_cases, static c =>
    {
        using StringWriter error = new();
        Assert.Equal(c.Status, ReportTool.Run(["completion", "bash"], Writing(c.Thrown, error)));
        Assert.Equal(c.Said, error.ToString());
    });

    [Fact]
    public void A_bug_is_no_expected_error() =>
        Assert.Throws<InvalidOperationException>(static () => ReportTool.Run(["completion", "bash"], Writing(new InvalidOperationException(), TextWriter.Null)));

    private static ReportConsole Writing(Exception thrown, TextWriter error) => new(new FailingStream(thrown), error, static () => TextReader.Null);

    private sealed class FailingStream(Exception thrown) : MemoryStream
    {
        public override void Write(byte[] buffer, int offset, int count) => throw thrown;

        public override void Write(ReadOnlySpan<byte> buffer) => throw thrown;
    }
}
