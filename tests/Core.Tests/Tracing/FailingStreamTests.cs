using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Tracing;

/// <summary>Traces on files that refuse to be written or read.</summary>
public sealed class FailingStreamTests
{
    /// <summary>What a stream throws, and what is said of it; null for what is no failure of a file.</summary>
    public static TheoryData<Exception, string?> Failures => new()
    {
        { new IOException("x", 28), "the disk is full" },
        { new UnauthorizedAccessException(), "it or its folder may not be written" },
        { new NotSupportedException(), "it is no file of a kind that this can be done with" },
        { new InvalidOperationException(), null },
    };

    [Theory]
    [MemberData(nameof(Failures), DisableDiscoveryEnumeration = true)]
    public void A_frame_that_cannot_be_written_is_taken_back_and_nothing_follows_it(Exception failure, string? said)
    {
        FailingStream stream = new();
        using FrameWriter writer = new(stream, "t.kpt");
        writer.Write(TraceChunkKind.Notes, 1, 0, [0x90], compress: false);
        long whole = stream.Length;
        Assert.Equal((60L, 60L, 1), (whole, writer.BytesWritten, stream.Flushes));
        stream.OnWrite = failure;

        Exception? error = Record.Exception(() => writer.Write(TraceChunkKind.Notes, 1, 0, [0x90], compress: false));

        if (said is null)
        {
            Assert.Same(failure, error);
            return;
        }

        Assert.Equal($"t.kpt: cannot write the trace: {said}; 60 bytes of it are whole and readable", Assert.IsType<KprobeTraceException>(error).Message);
        Assert.Same(failure, error.InnerException);
        Assert.Equal((whole, whole), (stream.Length, writer.BytesWritten));
        stream.OnWrite = null;
        KprobeTraceException again = Assert.Throws<KprobeTraceException>(() => writer.Write(TraceChunkKind.Notes, 1, 0, [0x90], compress: false));
        Assert.Equal("t.kpt: writing the trace has failed before", again.Message);
        Assert.Equal((whole, whole), (stream.Length, writer.BytesWritten));
    }

    [Fact]
    public void A_file_that_would_become_too_large_is_said_to()
    {
        FailingStream stream = new() { OnWrite = new ArgumentOutOfRangeException("x") };
        using FrameWriter writer = new(stream, "t.kpt");

        KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => writer.Write(TraceChunkKind.Notes, 1, 0, [0x90], compress: false));

        Assert.Equal("t.kpt: cannot write the trace: the file would become too large; 0 bytes of it are whole and readable", error.Message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_cannot_be_taken_back_stays(bool seeks)
    {
        FailingStream stream = new() { Seeks = seeks, OnWrite = new IOException("x", 5), OnSetLength = new NotSupportedException() };
        using FrameWriter writer = new(stream, "t.kpt");

        KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => writer.Write(TraceChunkKind.Notes, 1, 0, [0x90], compress: false));

        Assert.StartsWith("t.kpt: cannot write the trace: the disk or device reports an error;", error.Message, StringComparison.Ordinal);
        Assert.Equal(seeks ? 1 : 0, stream.LengthsSet);
        Assert.Equal(1, stream.Length);
    }

    [Theory]
    [MemberData(nameof(Failures), DisableDiscoveryEnumeration = true)]
    public void A_file_that_cannot_be_read_is_named_with_the_reason(Exception failure, string? said)
    {
        Exception? ofLength = Record.Exception(() => new FrameReader(new FailingStream { OnLength = failure }, "t.kpt").Dispose());
        using FrameReader reader = new(new FailingStream { OnRead = failure }, "t.kpt");
        foreach (Exception? error in (Exception?[])[ofLength, Record.Exception(() => reader.ReadStart(1))])
        {
            if (said is null)
            {
                Assert.Same(failure, error);
            }
            else
            {
                Assert.Equal($"t.kpt: cannot read the trace: {said}", Assert.IsType<KprobeTraceException>(error).Message);
                Assert.Same(failure, error.InnerException);
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void The_start_of_a_file_is_as_long_as_the_file_or_as_what_was_asked_for(int length)
    {
        byte[] file = [1, 2, 3, 4];
        using FrameReader reader = new(new MemoryStream(file), "t.kpt");

        Assert.Equal(file[..Math.Min(length, 4)], reader.ReadStart(length));
        Assert.Equal(file, reader.PeekStart().ToArray());
    }

    /// <summary>A stream in memory that fails where it is told to; a write that fails leaves a byte.</summary>
    private sealed class FailingStream : MemoryStream
    {
        public Exception? OnWrite { get; set; }

        public Exception? OnRead { get; init; }

        public Exception? OnLength { get; init; }

        public Exception? OnSetLength { get; init; }

        public bool Seeks { get; init; } = true;

        public int Flushes { get; private set; }

        public int LengthsSet { get; private set; }

        public override bool CanSeek => Seeks;

        public override long Length => OnLength is null ? base.Length : throw OnLength;

        public override int Read(Span<byte> buffer) => OnRead is null ? base.Read(buffer) : throw OnRead;

        public override void Flush() => Flushes++;

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            base.Write(OnWrite is null ? buffer : buffer[..1]);
            if (OnWrite is not null)
            {
                throw OnWrite;
            }
        }

        public override void SetLength(long value)
        {
            LengthsSet++;
            if (OnSetLength is not null)
            {
                throw OnSetLength;
            }

            base.SetLength(value);
        }
    }
}
