using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Memory;
using ZstdSharp;

namespace KprobeTrace.Machine;

/// <summary>Reads the records of a saved state in their order, and no byte behind the last.</summary>
internal sealed class StateRecordReader : IDisposable
{
    private readonly Stream _stream;
    private readonly XxHash3 _hash = new();
    private readonly Decompressor _decompressor = new();
    private readonly byte[] _head = new byte[StateFormat.RecordHeadSize];
    private ulong _hashBefore;

    /// <summary>Reads the header.</summary>
    /// <param name="stream">Stays open.</param>
    /// <param name="processorCount">Processors that the machine has; null where there is none yet.</param>
    /// <param name="memorySize">Bytes of RAM that the machine has; null where there is none yet.</param>
    /// <exception cref="KprobeTraceException">It is no saved state, one of another version, or one of a machine with other processors or RAM.</exception>
    public StateRecordReader(Stream stream, int? processorCount, ulong? memorySize)
    {
        _stream = stream;
        Span<byte> header = stackalloc byte[StateFormat.HeaderSize];
        Get(header[..8]);
        if (!header[..8].SequenceEqual(StateFormat.Magic))
        {
            throw new KprobeTraceException("this is no saved state of a machine: it begins with other bytes");
        }

        Get(header[8..12]);
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(header[8..]);
        if (version != StateFormat.Version)
        {
            throw new KprobeTraceException($"the saved state has format version {version}, and this version of KprobeTrace reads {StateFormat.Version} only: save it anew");
        }

        Get(header[12..]);
        ulong saved = BinaryPrimitives.ReadUInt64LittleEndian(header[12..]);
        if (memorySize is not null && saved != memorySize)
        {
            throw new KprobeTraceException($"the saved state is that of a machine with 0x{saved:x} bytes of memory, and this one has 0x{memorySize:x}: give the same with --memory");
        }

        int processors = BinaryPrimitives.ReadInt32LittleEndian(header[20..]);
        if (processorCount is not null && processors != processorCount)
        {
            throw new KprobeTraceException($"the saved state is that of a machine with {processors} processors, and this one has {processorCount}");
        }
    }

    /// <summary>Finds a record before those of RAM, whose checksum is not looked at.</summary>
    /// <param name="stream">Stays open.</param>
    /// <param name="name">The record's name.</param>
    /// <exception cref="KprobeTraceException">It is no saved state of this version, or has no such record.</exception>
    public static StateReader Find(Stream stream, string name)
    {
        using StateRecordReader records = new(stream, processorCount: null, memorySize: null);
        while (true)
        {
            string found = records.ReadHead(out int length);
            if (found is StateFormat.Ram or StateFormat.End || length > StateFormat.MaxKnowledgeSize)
            {
                throw Damaged($"{length} bytes of \"{found}\" stand where the state of \"{name}\" is expected");
            }

            byte[] bytes = new byte[length];
            records.Get(bytes);
            if (found == name)
            {
                return new StateReader(name, bytes);
            }
        }
    }

    /// <summary>Reads the next record, which has to be the state of a part of this name.</summary>
    /// <param name="name">The part.</param>
    /// <param name="most">Bytes it may have.</param>
    /// <exception cref="KprobeTraceException">It is another, or longer.</exception>
    public StateReader ReadState(string name, int most = StateFormat.MaxPartSize) => new(name, Read(name, most));

    /// <summary>Reads the next record, which has to have this name.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="most">Bytes it may have.</param>
    /// <exception cref="KprobeTraceException">It is another, or longer.</exception>
    public byte[] Read(string name, int most = StateFormat.MaxPartSize)
    {
        string found = ReadHead(out int length);
        if (found != name || length > most)
        {
            throw Damaged($"{length} bytes of \"{found}\" stand where the state of \"{name}\" is expected");
        }

        byte[] bytes = new byte[length];
        Get(bytes);
        return bytes;
    }

    /// <summary>Reads all of RAM and the checksum behind it; what no record has becomes zero.</summary>
    /// <exception cref="KprobeTraceException">A record names pages that are not there, or the checksum is another.</exception>
    public void ReadRam(PhysicalMemory memory)
    {
        int pages = (int)(memory.Size / PhysicalMemory.PageSize);
        int most = StateFormat.RunHeadSize + Compressor.GetCompressBound(StateFormat.MaxRunPages * PhysicalMemory.PageSize);
        byte[] buffer = new byte[most];
        int next = 0;
        string name = ReadHead(out int length);
        while (name == StateFormat.Ram)
        {
            if (length is < StateFormat.RunHeadSize || length > most)
            {
                throw Damaged($"a record of memory has {length} bytes");
            }

            Span<byte> record = buffer.AsSpan(0, length);
            Get(record);
            int first = BinaryPrimitives.ReadInt32LittleEndian(record);
            int count = BinaryPrimitives.ReadInt32LittleEndian(record[4..]);
            if (first < next || first >= pages || count < 1 || count > Math.Min(StateFormat.MaxRunPages, pages - first))
            {
                throw Damaged($"{count} pages of memory from page {first} are out of order or not there");
            }

            Clear(memory, next, first);
            Unpack(record[StateFormat.RunHeadSize..], memory.Pages(first, count));
            next = first + count;
            name = ReadHead(out length);
        }

        Clear(memory, next, pages);
        Span<byte> sum = stackalloc byte[sizeof(ulong)];
        if (name != StateFormat.End || length != sum.Length)
        {
            throw Damaged($"{length} bytes of \"{name}\" stand where its end is expected");
        }

        ulong expected = _hashBefore;
        Get(sum);
        if (BinaryPrimitives.ReadUInt64LittleEndian(sum) != expected)
        {
            throw Damaged("its checksum is another");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _decompressor.Dispose();

    private static KprobeTraceException Damaged(string how, Exception? cause = null) => new($"the saved state is damaged: {how}", cause!);

    /// <summary>Sets pages to zero, but for those that are, so that what was never touched takes no memory of the host's.</summary>
    private static void Clear(PhysicalMemory memory, int from, int to)
    {
        for (int page = from; page < to; page++)
        {
            Span<byte> bytes = memory.Pages(page, 1);
            if (bytes.ContainsAnyExcept((byte)0))
            {
                bytes.Clear();
            }
        }
    }

    private void Unpack(ReadOnlySpan<byte> packed, Span<byte> into)
    {
        try
        {
            if (_decompressor.Unwrap(packed, into) == into.Length)
            {
                return;
            }
        }
        catch (ZstdException e)
        {
            throw Damaged("a record of memory does not unpack", e);
        }

        throw Damaged("a record of memory unpacks to fewer bytes than it says");
    }

    private string ReadHead(out int length)
    {
        _hashBefore = _hash.GetCurrentHashAsUInt64();
        Get(_head);
        length = BinaryPrimitives.ReadInt32LittleEndian(_head.AsSpan(StateFormat.NameSize));
        ReadOnlySpan<byte> name = _head.AsSpan(0, StateFormat.NameSize).TrimEnd((byte)0);
        if (length < 0 || name.IsEmpty || name.ContainsAnyExceptInRange((byte)'0', (byte)'z'))
        {
            throw Damaged("it has a record without a name or with a negative length");
        }

        return Encoding.ASCII.GetString(name);
    }

    private void Get(Span<byte> into)
    {
        if (_stream.ReadAtLeast(into, into.Length, throwOnEndOfStream: false) < into.Length)
        {
            throw new KprobeTraceException("the saved state ends in the middle: it is cut off, or no saved state");
        }

        _hash.Append(into);
    }
}
