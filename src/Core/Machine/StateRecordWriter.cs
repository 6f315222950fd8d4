using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Memory;
using ZstdSharp;

namespace KprobeTrace.Machine;

/// <summary>Writes the records of a saved state and the checksum over them.</summary>
internal sealed class StateRecordWriter : IDisposable
{
    private readonly Stream _stream;
    private readonly XxHash3 _hash = new();
    private readonly Compressor _compressor = new(level: 1);
    private readonly byte[] _run = new byte[StateFormat.RunHeadSize + Compressor.GetCompressBound(StateFormat.MaxRunPages * PhysicalMemory.PageSize)];

    /// <summary>Writes the header.</summary>
    /// <param name="stream">Stays open.</param>
    /// <param name="processorCount">Processors.</param>
    /// <param name="memorySize">Bytes of RAM.</param>
    public StateRecordWriter(Stream stream, int processorCount, ulong memorySize)
    {
        _stream = stream;
        Span<byte> header = stackalloc byte[StateFormat.HeaderSize];
        StateFormat.Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], StateFormat.Version);
        BinaryPrimitives.WriteUInt64LittleEndian(header[12..], memorySize);
        BinaryPrimitives.WriteInt32LittleEndian(header[20..], processorCount);
        Put(header);
    }

    /// <summary>Writes the state of a part of the machine.</summary>
    public void Write(string name, IStateful part)
    {
        StateWriter state = new();
        part.Save(state);
        if (state.Written.Length > StateFormat.MaxKnowledgeSize)
        {
            throw new KprobeTraceException($"the state of {name} has {state.Written.Length} bytes, more than the {StateFormat.MaxKnowledgeSize} that are read again: save it earlier");
        }

        Write(name, state.Written);
    }

    /// <summary>Writes a record.</summary>
    public void Write(string name, ReadOnlySpan<byte> bytes)
    {
        Span<byte> head = stackalloc byte[StateFormat.RecordHeadSize];
        head.Clear();
        Encoding.ASCII.GetBytes(name, head[..StateFormat.NameSize]);
        BinaryPrimitives.WriteInt32LittleEndian(head[StateFormat.NameSize..], bytes.Length);
        Put(head);
        Put(bytes);
    }

    /// <summary>Writes the pages of RAM that are not all zero.</summary>
    public void WriteRam(PhysicalMemory memory)
    {
        int pages = (int)(memory.Size / PhysicalMemory.PageSize);
        for (int first = 0; first < pages; first++)
        {
            int end = first;
            while (end < pages && end - first < StateFormat.MaxRunPages && memory.Pages(end, 1).ContainsAnyExcept((byte)0))
            {
                end++;
            }

            if (end > first)
            {
                BinaryPrimitives.WriteInt32LittleEndian(_run, first);
                BinaryPrimitives.WriteInt32LittleEndian(_run.AsSpan(4), end - first);
                int packed = _compressor.Wrap(memory.Pages(first, end - first), _run.AsSpan(StateFormat.RunHeadSize));
                Write(StateFormat.Ram, _run.AsSpan(0, StateFormat.RunHeadSize + packed));
                first = end - 1;
            }
        }
    }

    /// <summary>Writes the last record: the checksum of all bytes before it.</summary>
    public void WriteEnd()
    {
        Span<byte> sum = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(sum, _hash.GetCurrentHashAsUInt64());
        Write(StateFormat.End, sum);
    }

    /// <inheritdoc/>
    public void Dispose() => _compressor.Dispose();

    private void Put(ReadOnlySpan<byte> bytes)
    {
        _hash.Append(bytes);
        _stream.Write(bytes);
    }
}
