using System.Buffers.Binary;
using System.Text;

namespace KprobeTrace.Tests.Loaders;

/// <summary>Writes small ELF64 files.</summary>
internal sealed class ElfBuilder
{
    private readonly List<(uint Flags, ulong Virtual, ulong Physical, byte[] Bytes, ulong Memory)> _segments = [];
    private readonly List<(string Name, uint Type, ulong Flags, ulong Address, byte[] Bytes, uint Link)> _sections = [];

    public ulong Entry { get; init; }

    public ushort Type { get; init; } = 2;

    public ushort Machine { get; init; } = 62;

    public ElfBuilder Segment(ulong linear, ulong physical, byte[] bytes, ulong memory = 0, uint flags = 7)
    {
        _segments.Add((flags, linear, physical, bytes, Math.Max(memory, (ulong)bytes.Length)));
        return this;
    }

    public ElfBuilder Section(string name, uint type, byte[] bytes, ulong address = 0, ulong flags = 0, uint link = 0)
    {
        _sections.Add((name, type, flags, address, bytes, link));
        return this;
    }

    public byte[] Build()
    {
        MemoryStream file = new();
        byte[] header = new byte[64 + (_segments.Count * 56)];
        file.Write(header);
        "\u007fELF\u0002\u0001\u0001"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(16), Type);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(18), Machine);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(24), Entry);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(32), 64);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(54), 56);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(56), (ushort)_segments.Count);
        for (int i = 0; i < _segments.Count; i++)
        {
            (uint flags, ulong linear, ulong physical, byte[] bytes, ulong memory) = _segments[i];
            Span<byte> at = header.AsSpan(64 + (i * 56));
            BinaryPrimitives.WriteUInt32LittleEndian(at, 1);
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], flags);
            BinaryPrimitives.WriteUInt64LittleEndian(at[8..], (ulong)file.Length);
            BinaryPrimitives.WriteUInt64LittleEndian(at[16..], linear);
            BinaryPrimitives.WriteUInt64LittleEndian(at[24..], physical);
            BinaryPrimitives.WriteUInt64LittleEndian(at[32..], (ulong)bytes.Length);
            BinaryPrimitives.WriteUInt64LittleEndian(at[40..], memory);
            file.Write(bytes);
        }

        if (_sections.Count > 0)
        {
            WriteSections(file, header);
        }

        byte[] whole = file.ToArray();
        header.CopyTo(whole, 0);
        return whole;
    }

    private void WriteSections(MemoryStream file, byte[] header)
    {
        List<(string Name, uint Type, ulong Flags, ulong Address, byte[] Bytes, uint Link)> all =
            [("", 0, 0, 0, [], 0), .. _sections];
        StringBuilder names = new();
        List<int> nameOffsets = [];
        foreach ((string name, _, _, _, _, _) in all)
        {
            nameOffsets.Add(names.Length);
            names.Append(name).Append('\0');
        }

        nameOffsets.Add(names.Length);
        names.Append(".shstrtab\0");
        all.Add((".shstrtab", 3, 0, 0, Encoding.ASCII.GetBytes(names.ToString()), 0));
        byte[] table = new byte[all.Count * 64];
        for (int i = 0; i < all.Count; i++)
        {
            Span<byte> at = table.AsSpan(i * 64);
            BinaryPrimitives.WriteUInt32LittleEndian(at, (uint)nameOffsets[i]);
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], all[i].Type);
            BinaryPrimitives.WriteUInt64LittleEndian(at[8..], all[i].Flags);
            BinaryPrimitives.WriteUInt64LittleEndian(at[16..], all[i].Address);
            BinaryPrimitives.WriteUInt64LittleEndian(at[24..], (ulong)file.Length);
            BinaryPrimitives.WriteUInt64LittleEndian(at[32..], (ulong)all[i].Bytes.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(at[40..], all[i].Link);
            file.Write(all[i].Bytes);
        }

        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(40), (ulong)file.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(58), 64);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(60), (ushort)all.Count);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(62), (ushort)(all.Count - 1));
        file.Write(table);
    }
}
