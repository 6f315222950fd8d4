namespace KprobeTrace.Tests.Tracing;

/// <summary>Bytes in memory that count how many of them have been read, again and again ones included.</summary>
internal sealed class CountingStream(byte[] bytes) : MemoryStream(bytes)
{
    internal long BytesRead { get; private set; }

    // Reads into spans come here, too: MemoryStream goes round through arrays in derived classes.
    public override int Read(byte[] buffer, int offset, int count)
    {
        int read = base.Read(buffer, offset, count);
        BytesRead += read;
        return read;
    }
}
