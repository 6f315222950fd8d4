using System.Runtime.InteropServices;

namespace KprobeTrace.Tools;

/// <summary>Standard output, unbuffered; every failure is a <see cref="PlainIOException"/>.</summary>
/// <param name="descriptor">The descriptor that is it.</param>
internal sealed class StandardOutput(int descriptor = StandardOutput.Number) : WriteOnlyStream
{
    private const int Number = 1;

    private readonly bool _isOpen = Descriptor.IsOpen(descriptor);
    private bool _left;

    /// <summary>Called once when the reader has gone away, after which nothing is written; without it that is an exception.</summary>
    public Action? ReaderLeft { get; set; }

    /// <summary>Fails where it is closed, so that no work is done for nothing.</summary>
    public void RequireOpen()
    {
        if (!_isOpen)
        {
            throw Failure(Errno.BadDescriptor);
        }
    }

    /// <summary>Whether the exception says that the reader has gone away.</summary>
    public static bool IsReaderGone(IOException e) => Errno.Of(e) == Errno.BrokenPipe;

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (OperatingSystem.IsWindows())
        {
            using Stream console = Console.OpenStandardOutput();
            console.Write(buffer);
            return;
        }

        int error = !_isOpen ? Errno.BadDescriptor : _left ? 0 : Descriptor.Write(descriptor, buffer);
        if (error == Errno.BrokenPipe && ReaderLeft is not null)
        {
            _left = true;
            ReaderLeft();
        }
        else if (error != 0)
        {
            throw Failure(error);
        }
    }

    private static PlainIOException Failure(int error) => new(
        error switch
        {
            Errno.BadDescriptor => "standard output is closed; send it to a file, or to /dev/null",
            Errno.NoSpace => "standard output: the disk is full",
            _ => $"standard output cannot be written: {Marshal.GetPInvokeErrorMessage(error)}",
        },
        error);
}
