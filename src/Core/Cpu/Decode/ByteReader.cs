using Iced.Intel;

namespace KprobeTrace.Cpu.Decode;

/// <summary>Feeds Iced's decoder from unmanaged memory.</summary>
internal sealed unsafe class ByteReader : CodeReader
{
    private byte* _at;
    private byte* _end;
    private bool _absent;

    /// <summary>Reads from a run of host memory, then says that there are no more bytes.</summary>
    public void Set(byte* start, int length)
    {
        _at = start;
        _end = start + length;
        _absent = false;
    }

    /// <summary>The next byte, or null where nothing answers.</summary>
    public byte* At => _absent ? null : _at;

    /// <summary>Reads all ones, as a bus does where nothing answers.</summary>
    public void SetAbsent() => _absent = true;

    /// <inheritdoc/>
    public override int ReadByte() => _absent ? 0xFF : _at < _end ? *_at++ : -1;
}
