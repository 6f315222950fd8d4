using System.IO.Pipes;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using KprobeTrace.Tools;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>Descriptors of any kind, and standard output on a pipe that nobody reads.</summary>
public sealed class DescriptorTests : IDisposable
{
    private const int BrokenPipe = 32;
    private const int NoSpace = 28;
    private const int BadDescriptor = 9;

    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(FileAccess.Write, true)]
    [InlineData(FileAccess.ReadWrite, true)]
    [InlineData(FileAccess.Read, false)]
    public void File_is_open_where_it_may_be_written(FileAccess access, bool open)
    {
        File.WriteAllText(_folder["file"], "there");
        using FileStream reader = new(_folder["file"], FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using FileStream file = new(_folder["file"], FileMode.Open, access, FileShare.ReadWrite);

        Assert.Equal(open, Descriptor.IsOpen(Number(file.SafeFileHandle)));
    }

    [Fact]
    public void Number_that_is_no_descriptor_is_not_open_and_cannot_be_written()
    {
        Assert.False(Descriptor.IsOpen(-1));
        Assert.False(Descriptor.IsOpen(int.MaxValue));
        Assert.Equal(BadDescriptor, Descriptor.Write(-1, "x"u8));
        Assert.Equal(0, Descriptor.Write(-1, []));
    }

    [Fact]
    public void Pipe_is_open_unless_its_reader_is_in_the_same_process()
    {
        using AnonymousPipeServerStream writer = new(PipeDirection.Out);
        using AnonymousPipeServerStream other = new(PipeDirection.Out);
        int number = Number(writer.SafePipeHandle);

        Assert.False(Descriptor.IsOpen(number));
        writer.ClientSafePipeHandle.Dispose();
        Assert.True(Descriptor.IsOpen(number));
        Assert.False(Descriptor.IsOpen(Number(other.ClientSafePipeHandle)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4_000_000)]
    public void All_bytes_arrive_where_the_system_takes_a_few_at_a_time(int length)
    {
        byte[] sent = new byte[length];
        new Random(length).NextBytes(sent);
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(_folder["s"]));
        listener.Listen();
        using Socket writer = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        writer.Connect(new UnixDomainSocketEndPoint(_folder["s"]));
        using Socket reader = listener.Accept();
        writer.Blocking = false;

        using MemoryStream received = new();
        Thread copy = new(() => new NetworkStream(reader).CopyTo(received));
        copy.Start();
        int error = Descriptor.Write(Number(writer.SafeHandle), sent);
        writer.Shutdown(SocketShutdown.Send);
        copy.Join();

        Assert.Equal(0, error);
        Assert.Equal(sent, received.ToArray());
    }

    [Fact]
    public void Write_that_a_signal_interrupts_goes_on()
    {
        byte[] sent = new byte[200_000];
        new Random(7).NextBytes(sent);
        using AnonymousPipeServerStream pipe = new(PipeDirection.Out);
        using AnonymousPipeClientStream reader = new(PipeDirection.In, pipe.ClientSafePipeHandle);
        using InterruptedThread writer = new(() =>
        {
            int error = Descriptor.Write(Number(pipe.SafePipeHandle), sent);
            pipe.Dispose();
            Assert.Equal(0, error);
        });

        using MemoryStream received = new();
        byte[] some = new byte[10_000];
        int count;
        do
        {
            // The first may find bytes that were written since it began; the second finds none, as the pipe is full.
            writer.Interrupt();
            writer.Interrupt();
            count = reader.Read(some);
            received.Write(some, 0, count);
        }
        while (count > 0);

        writer.Join();
        Assert.Equal(sent, received.ToArray());
    }

    [Fact]
    public void Disk_that_is_full_is_told()
    {
        using FileStream full = File.OpenWrite("/dev/full");
        using StandardOutput output = new(Number(full.SafeFileHandle));

        Assert.Equal(NoSpace, Descriptor.Write(Number(full.SafeFileHandle), "x"u8));
        PlainIOException e = Assert.Throws<PlainIOException>(() => output.Write("x"u8));
        Assert.Equal(("standard output: the disk is full", NoSpace), (e.Message, e.HResult));
    }

    [Fact]
    public void Reader_that_has_gone_is_told_once_and_nothing_is_written_from_then_on()
    {
        using AnonymousPipeServerStream writer = new(PipeDirection.Out);
        writer.ClientSafePipeHandle.Dispose();
        int told = 0;
        using StandardOutput output = new(Number(writer.SafePipeHandle)) { ReaderLeft = () => told++ };

        output.Write("one"u8);
        output.Write("two"u8);
        output.ReaderLeft = null;
        output.Write("three"u8);

        Assert.Equal(1, told);
    }

    [Fact]
    public void Reader_that_has_gone_is_an_exception_where_nobody_asked_to_be_told()
    {
        using AnonymousPipeServerStream writer = new(PipeDirection.Out);
        writer.ClientSafePipeHandle.Dispose();
        using StandardOutput output = new(Number(writer.SafePipeHandle));

        PlainIOException e = Assert.Throws<PlainIOException>(() => output.Write("x"u8));
        Assert.Equal("standard output cannot be written: Broken pipe", e.Message);
        Assert.Equal(BrokenPipe, Errno.Of(e));
        Assert.True(StandardOutput.IsReaderGone(e));
    }

    [Fact]
    public void Output_that_is_closed_is_told_and_asks_no_reader()
    {
        using StandardOutput output = new(-1) { ReaderLeft = static () => Assert.Fail("there was no reader") };

        PlainIOException e = Assert.Throws<PlainIOException>(() => output.Write("x"u8));
        Assert.Equal(("standard output is closed; send it to a file, or to /dev/null", BadDescriptor), (e.Message, e.HResult));
    }

    [Fact]
    public void Output_goes_to_its_descriptor_at_once()
    {
        using FileStream file = new(_folder["file"], FileMode.Create, FileAccess.Write, FileShare.ReadWrite);
        using StandardOutput output = new(Number(file.SafeFileHandle));

        output.Write("xxabcyy"u8.ToArray(), 2, 3);
        Assert.Equal("abc", File.ReadAllText(_folder["file"]));
        output.Write("d"u8);
        Assert.Equal("abcd", File.ReadAllText(_folder["file"]));
    }

    private static int Number(SafeHandle handle) => (int)handle.DangerousGetHandle();
}
