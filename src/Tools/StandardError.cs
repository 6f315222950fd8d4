using System.Text;

namespace KprobeTrace.Tools;

/// <summary>Standard error, which may be closed or full: what cannot be written is dropped, and the exit status still tells.</summary>
internal sealed class StandardError : WriteOnlyStream
{
    private const int Number = 2;

    private StandardError()
    {
    }

    /// <summary>Makes it the process's standard error.</summary>
    public static void Install()
    {
        if (!OperatingSystem.IsWindows())
        {
            Stream stream = Descriptor.IsOpen(Number) ? new StandardError() : Null;
            Console.SetError(new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true });
        }
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer) => _ = Descriptor.Write(Number, buffer);
}
