using System.Buffers;
using KprobeTrace.Tracing;
using MessagePack;

namespace KprobeTrace.Bench;

/// <summary>The peer: what one would write without a format of one's own, an array of numbers for each event.</summary>
internal sealed class PlainRows : IDisposable
{
    private const int BlockBytes = 1 << 20;

    private readonly ArrayBufferWriter<byte> _block = new(2 * BlockBytes);
    private readonly ZstdSharp.Compressor _compressor = new(1);
    private readonly byte[] _packed = new byte[4 * BlockBytes];
    private readonly byte[] _comm = new byte[TraceComm.Size];
    private long _bytes;

    /// <inheritdoc/>
    public void Dispose() => _compressor.Dispose();

    internal void Write(in TraceEvent e, ReadOnlySpan<byte> arguments, ReadOnlySpan<ulong> stack)
    {
        MessagePackWriter writer = new(_block);
        writer.WriteArrayHeader(14 + TraceRegisters.Count);
        writer.Write(e.Seq);
        writer.Write(e.TimeNs);
        writer.Write(e.Instructions);
        writer.Write(e.Cpu);
        writer.Write((byte)e.Kind);
        writer.Write(e.ProbeId);
        writer.Write(e.Address);
        writer.Write(e.Caller);
        writer.Write(e.EntrySeq);
        writer.Write(e.Cr2);
        writer.Write(e.Pid);
        e.Comm.Bytes.CopyTo(_comm);
        writer.WriteString(_comm.AsSpan(0, e.Comm.Bytes.Length));
        foreach (ulong register in e.Registers.AsReadOnlySpan())
        {
            writer.Write(register);
        }

        if (arguments.IsEmpty)
        {
            writer.WriteNil();
        }
        else
        {
            writer.WriteRaw(arguments);
        }

        writer.WriteArrayHeader(stack.Length);
        foreach (ulong address in stack)
        {
            writer.Write(address);
        }

        writer.Flush();
        if (_block.WrittenCount >= BlockBytes)
        {
            Compress();
        }
    }

    /// <summary>Bytes of all blocks.</summary>
    internal long Finish()
    {
        Compress();
        return _bytes;
    }

    private void Compress()
    {
        _bytes += _compressor.Wrap(_block.WrittenSpan, _packed);
        _block.ResetWrittenCount();
    }
}
