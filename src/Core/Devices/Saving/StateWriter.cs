using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace KprobeTrace.Devices.Saving;

/// <summary>Collects the bytes of states.</summary>
internal sealed class StateWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    /// <summary>What was written so far.</summary>
    public ReadOnlySpan<byte> Written => _bytes.WrittenSpan;

    /// <summary>Adds a struct as it lies in memory; it has no padding.</summary>
    public void Write<T>(in T state)
        where T : unmanaged => Write(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in state)));

    /// <summary>Adds bytes.</summary>
    public void Write(ReadOnlySpan<byte> bytes) => _bytes.Write(bytes);

    /// <summary>Adds a text: how many bytes of UTF-8 it has, and these.</summary>
    public void Write(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Write(bytes.Length);
        Write(bytes);
    }
}
