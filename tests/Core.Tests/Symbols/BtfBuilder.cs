using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Symbols;

namespace KprobeTrace.Tests.Symbols;

/// <summary>Writes BTF data; each method adds one type and returns its number.</summary>
internal sealed class BtfBuilder
{
    private readonly List<uint> _types = [];
    private readonly StringBuilder _strings = new("\0");
    private int _count;

    public int Int(string name, uint size, uint encoding = 0) =>
        Add(name, BtfKind.IntegerNumber, 0, false, size, (encoding << 24) | (size * 8));

    public int Pointer(int target) => Add("", BtfKind.PointerTo, 0, false, (uint)target);

    public int Refer(BtfKind kind, int target, string name = "") => Add(name, kind, 0, false, (uint)target);

    public int Array(int element, int index, uint count) =>
        Add("", BtfKind.Array, 0, false, 0, (uint)element, (uint)index, count);

    public int Struct(string name, uint size, params (string Name, int Type, uint BitOffset, uint BitSize)[] members) =>
        Composite(BtfKind.Struct, name, size, members);

    public int Union(string name, uint size, params (string Name, int Type, uint BitOffset, uint BitSize)[] members) =>
        Composite(BtfKind.Union, name, size, members);

    public int Enum(string name, bool signed, params (string Name, uint Value)[] values) => Add(
        name, BtfKind.Enum, values.Length, signed, 4,
        [.. values.SelectMany(value => (uint[])[StringOf(value.Name), value.Value])]);

    public int Function(string name, int returns, params (string Name, int Type)[] parameters)
    {
        int prototype = Add(
            "", BtfKind.Prototype, parameters.Length, false, (uint)returns,
            [.. parameters.SelectMany(parameter => (uint[])[StringOf(parameter.Name), (uint)parameter.Type])]);
        return Add(name, BtfKind.Function, 1, false, (uint)prototype);
    }

    public byte[] Build()
    {
        byte[] types = [.. _types.SelectMany(BitConverter.GetBytes)];
        byte[] strings = Encoding.ASCII.GetBytes(_strings.ToString());
        byte[] header = new byte[24];
        BinaryPrimitives.WriteUInt16LittleEndian(header, 0xEB9F);
        header[2] = 1;
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), 24);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(12), (uint)types.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(16), (uint)types.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(20), (uint)strings.Length);
        return [.. header, .. types, .. strings];
    }

    private int Composite(
        BtfKind kind, string name, uint size, (string Name, int Type, uint BitOffset, uint BitSize)[] members)
    {
        bool bitFields = members.Any(member => member.BitSize != 0);
        return Add(
            name, kind, members.Length, bitFields, size,
            [.. members.SelectMany(member => (uint[])
                [StringOf(member.Name), (uint)member.Type, member.BitOffset | (member.BitSize << 24)])]);
    }

    private int Add(string name, BtfKind kind, int count, bool flag, uint third, params uint[] rest)
    {
        _types.AddRange([StringOf(name), (flag ? 1u << 31 : 0) | ((uint)kind << 24) | (uint)count, third, .. rest]);
        return ++_count;
    }

    private uint StringOf(string text)
    {
        if (text.Length == 0)
        {
            return 0;
        }

        int at = _strings.Length;
        _strings.Append(text).Append('\0');
        return (uint)at;
    }
}
