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

    public int Enum64(string name, bool signed, params (string Name, ulong Value)[] values) => Add(
        name, BtfKind.Enum64, values.Length, signed, 8,
        [.. values.SelectMany(value => (uint[])[StringOf(value.Name), (uint)value.Value, (uint)(value.Value >> 32)])]);

    public int Float(string name, uint size) => Add(name, BtfKind.FloatingPoint, 0, false, size);

    /// <summary>A declaration of a structure, or of a union, that is defined nowhere.</summary>
    public int Forward(string name, bool union) => Add(name, BtfKind.Forward, 0, union, 0);

    public int Variable(string name, int type) => Add(name, BtfKind.Variable, 0, false, (uint)type, 1);

    public int DataSection(string name, uint size, params (int Variable, uint Offset, uint Size)[] variables) => Add(
        name, BtfKind.DataSection, variables.Length, false, size,
        [.. variables.SelectMany(variable => (uint[])[(uint)variable.Variable, variable.Offset, variable.Size])]);

    public int DeclarationTag(string name, int target, int component) =>
        Add(name, BtfKind.DeclarationTag, 0, false, (uint)target, (uint)component);

    public int Prototype(int returns, params (string Name, int Type)[] parameters) => Add(
        "", BtfKind.Prototype, parameters.Length, false, (uint)returns,
        [.. parameters.SelectMany(parameter => (uint[])[StringOf(parameter.Name), (uint)parameter.Type])]);

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
