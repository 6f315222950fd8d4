using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace KprobeTrace.Devices.Saving;

/// <summary>Reads what a <see cref="StateWriter"/> collected, and no byte beyond.</summary>
/// <param name="part">Whose state it is, for messages.</param>
/// <param name="bytes">The state.</param>
internal sealed class StateReader(string part, ReadOnlyMemory<byte> bytes)
{
    private int _at;

    /// <summary>The next bytes as a struct.</summary>
    /// <exception cref="KprobeTraceException">There are not that many.</exception>
    public T Read<T>()
        where T : unmanaged => MemoryMarshal.Read<T>(Read(Unsafe.SizeOf<T>()));

    /// <summary>The next bytes.</summary>
    /// <exception cref="KprobeTraceException">There are not that many.</exception>
    public ReadOnlySpan<byte> Read(int count)
    {
        if ((uint)count > (uint)(bytes.Length - _at))
        {
            throw Wrong($"has {bytes.Length} bytes, too few");
        }

        _at += count;
        return bytes.Span.Slice(_at - count, count);
    }

    /// <summary>All bytes that are left.</summary>
    public ReadOnlySpan<byte> ReadRest() => Read(bytes.Length - _at);

    /// <summary>The next text.</summary>
    /// <exception cref="KprobeTraceException">It is longer than what is left.</exception>
    public string ReadText() => Encoding.UTF8.GetString(Read(Read<int>()));

    /// <summary>How many elements follow, each of which has a number of bytes at least.</summary>
    /// <exception cref="KprobeTraceException">There is no room for that many.</exception>
    public int ReadCount(int elementSize)
    {
        int count = Read<int>();
        Require(count >= 0 && count <= (bytes.Length - _at) / elementSize);
        return count;
    }

    /// <summary>Refuses a state that nothing can be in.</summary>
    /// <exception cref="KprobeTraceException">The condition does not hold.</exception>
    public void Require(bool condition)
    {
        if (!condition)
        {
            throw Wrong("holds values that it never has");
        }
    }

    /// <summary>Refuses a state that has more bytes than were read.</summary>
    /// <exception cref="KprobeTraceException">There are more.</exception>
    public void RequireEnd()
    {
        if (_at != bytes.Length)
        {
            throw Wrong($"has {bytes.Length} bytes instead of {_at}");
        }
    }

    private KprobeTraceException Wrong(string what) => new($"the saved state of {part} {what}: it is damaged, or another version of KprobeTrace wrote it");
}
