using System.Buffers.Binary;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using KprobeTrace.Loaders;

namespace KprobeTrace.Symbols;

/// <summary>The type information (BTF) a Linux kernel carries: structures, offsets and function prototypes.</summary>
/// <remarks>
/// The format is Documentation/bpf/btf.rst. The data comes from the guest, so every number in it is checked when it is
/// used; what does not hold together is reported as absent.
/// </remarks>
public sealed partial class Btf
{
    private const ushort Magic = 0xEB9F;
    private const int HeaderSize = 24;
    private const int TypeSize = 12;
    private const int MaxChain = 64;

    /// <summary>Members that a look-up by name goes through: anonymous structures that hold each other have no end.</summary>
    private const int MaxMembersSeen = 1 << 18;
    private const uint KindFlag = 0x8000_0000;

    private readonly ReadOnlyMemory<byte> _types;
    private readonly ReadOnlyMemory<byte> _strings;
    private readonly int[] _offsets;
    private readonly int[] _heads;
    private readonly int[] _next;

    private Btf(string name, ReadOnlyMemory<byte> bytes)
    {
        ReadOnlySpan<byte> span = bytes.Span;
        if (span.Length < HeaderSize || BinaryPrimitives.ReadUInt16LittleEndian(span) != Magic || span[2] != 1)
        {
            throw Broken(name, "it does not begin with a BTF header of version 1");
        }

        ulong header = BinaryPrimitives.ReadUInt32LittleEndian(span[4..]);
        ulong typesAt = header + BinaryPrimitives.ReadUInt32LittleEndian(span[8..]);
        ulong typesSize = BinaryPrimitives.ReadUInt32LittleEndian(span[12..]);
        ulong stringsAt = header + BinaryPrimitives.ReadUInt32LittleEndian(span[16..]);
        ulong stringsSize = BinaryPrimitives.ReadUInt32LittleEndian(span[20..]);
        if (typesAt + typesSize > (ulong)span.Length || stringsAt + stringsSize > (ulong)span.Length)
        {
            throw Broken(name, $"its types and strings reach beyond its {span.Length} bytes");
        }

        _types = bytes.Slice((int)typesAt, (int)typesSize);
        _strings = bytes.Slice((int)stringsAt, (int)stringsSize);
        _offsets = IndexTypes(name, _types.Span);
        _heads = new int[_offsets.Length];
        _next = new int[_offsets.Length];
        IndexNames();
    }

    /// <summary>Gets the number of types, void included.</summary>
    public int Count => _offsets.Length;

    /// <summary>Finds and reads the BTF of an image; null when it carries none.</summary>
    /// <exception cref="KprobeTraceException">The data is damaged.</exception>
    internal static Btf? Load(LoadedImage image, SymbolTable symbols)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(symbols);
        ReadOnlyMemory<byte> bytes = default;
        if (symbols.AddressOf("__start_BTF") is ulong start && symbols.AddressOf("__stop_BTF") is ulong stop && stop > start)
        {
            bytes = image.BytesAtLink(start);
            bytes = (ulong)bytes.Length >= stop - start ? bytes[..(int)(stop - start)] : default;
        }

        if (bytes.IsEmpty && image.Elf?.FindSection(".BTF") is ElfSection section)
        {
            bytes = image.Elf.BytesOf(section);
        }

        return bytes.IsEmpty ? null : new Btf(image.BaseName, bytes);
    }

    /// <summary>Reads BTF data.</summary>
    /// <param name="name">Where it comes from, for messages.</param>
    /// <param name="bytes">The data, from its header on.</param>
    /// <exception cref="KprobeTraceException">The data is damaged.</exception>
    public static Btf Parse(string name, ReadOnlyMemory<byte> bytes) => new(name, bytes);

    /// <summary>The fixed part of a type; void for a number that is out of range.</summary>
    public BtfType TypeOf(int id)
    {
        if (id <= 0 || id >= _offsets.Length)
        {
            return new BtfType(0, BtfKind.Void, "", 0, 0, 0);
        }

        ReadOnlySpan<byte> at = At(id);
        uint info = BinaryPrimitives.ReadUInt32LittleEndian(at[4..]);
        uint third = BinaryPrimitives.ReadUInt32LittleEndian(at[8..]);
        BtfKind kind = KindOf(info);
        string name = StringAt(BinaryPrimitives.ReadUInt32LittleEndian(at));
        uint count = info & 0xFFFF;
        return kind switch
        {
            BtfKind.Array => new BtfType(
                id, kind, name, 0, (int)BinaryPrimitives.ReadUInt32LittleEndian(at[12..]),
                BinaryPrimitives.ReadUInt32LittleEndian(at[20..])),
            BtfKind.IntegerNumber or BtfKind.Struct or BtfKind.Union or BtfKind.Enum or BtfKind.Enum64 or BtfKind.FloatingPoint
                or BtfKind.DataSection => new BtfType(id, kind, name, third, 0, count),
            BtfKind.PointerTo => new BtfType(id, kind, name, 8, (int)third, count),
            _ => new BtfType(id, kind, name, 0, (int)third, count),
        };
    }

    /// <summary>Finds a structure by name, type definitions included; null when there is none.</summary>
    public BtfType? FindStruct(string name) =>
        Find(name, BtfKind.Struct) ?? Find(name, BtfKind.Union) ?? FindTypedefOfStruct(name);

    /// <summary>Finds a type of one kind by name; null when there is none.</summary>
    public BtfType? Find(string name, BtfKind kind)
    {
        ArgumentNullException.ThrowIfNull(name);
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        for (int id = HeadOf(bytes); id != 0; id = _next[id])
        {
            ReadOnlySpan<byte> at = At(id);
            if (KindOf(BinaryPrimitives.ReadUInt32LittleEndian(at[4..])) == kind
                && NameAt(BinaryPrimitives.ReadUInt32LittleEndian(at)).SequenceEqual(bytes))
            {
                return TypeOf(id);
            }
        }

        return null;
    }

    /// <summary>Finds a function by name; null when BTF does not describe it.</summary>
    public BtfFunction? FindFunction(string name)
    {
        if (Find(name, BtfKind.Function) is not BtfType function)
        {
            return null;
        }

        BtfType prototype = TypeOf(function.Target);
        return prototype.Kind == BtfKind.Prototype
            ? new BtfFunction(name, ParametersOf(prototype), prototype.Target)
            : null;
    }

    /// <summary>The members of a structure or union, in order; empty for anything else.</summary>
    public IReadOnlyList<BtfMember> MembersOf(BtfType type)
    {
        if (type.Kind is not (BtfKind.Struct or BtfKind.Union))
        {
            return [];
        }

        ReadOnlySpan<byte> at = At(type.Id);
        bool bitFields = (BinaryPrimitives.ReadUInt32LittleEndian(at[4..]) & KindFlag) != 0;
        BtfMember[] members = new BtfMember[type.Count];
        for (int i = 0; i < members.Length; i++)
        {
            members[i] = MemberAt(at, i, bitFields);
        }

        return members;
    }

    /// <summary>Finds a member by name, looking into anonymous structures and unions; null when there is none.</summary>
    /// <returns>The member with its offset from the start of <paramref name="type"/>.</returns>
    public BtfMember? FindMember(BtfType type, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        int left = MaxMembersSeen;
        return FindMember(Resolve(type.Id), Encoding.UTF8.GetBytes(name), 0, ref left);
    }

    /// <summary>The byte offset of a member, such as <c>task_struct</c>'s <c>pid</c>; null when there is none.</summary>
    public uint? OffsetOf(string structure, string member) =>
        FindStruct(structure) is BtfType type ? FindMember(type, member)?.Offset : null;

    /// <summary>Follows type definitions, qualifiers and tags to the type behind them.</summary>
    public BtfType Resolve(int id)
    {
        BtfType type = TypeOf(id);
        for (int i = 0; i < MaxChain; i++)
        {
            if (type.Kind is not (BtfKind.Typedef or BtfKind.Const or BtfKind.Volatile or BtfKind.Restrict
                or BtfKind.TypeTag or BtfKind.Variable))
            {
                return type;
            }

            type = TypeOf(type.Target);
        }

        return TypeOf(0);
    }

    /// <summary>The size of a value of a type in bytes; 0 when it has none.</summary>
    public ulong SizeOf(int id)
    {
        ulong count = 1;
        BtfType type = Resolve(id);
        for (int i = 0; i < MaxChain && type.Kind == BtfKind.Array; i++)
        {
            count *= type.Count;
            type = Resolve(type.Target);
        }

        return type.Kind == BtfKind.Array ? 0 : count * type.Size;
    }

    /// <summary>Tells how to fetch a value of a type.</summary>
    public BtfScalar ScalarOf(int id)
    {
        BtfType type = Resolve(id);
        bool charPointer = type.Kind == BtfKind.PointerTo && IsChar(Resolve(type.Target));
        bool signed = type.Kind switch
        {
            BtfKind.IntegerNumber => (IntEncoding(type.Id) & 1) != 0,
            BtfKind.Enum or BtfKind.Enum64 => IsFlagged(type.Id),
            _ => false,
        };
        return new BtfScalar(type.Kind, (uint)Math.Min(SizeOf(id), uint.MaxValue), signed, charPointer);
    }

    /// <summary>Writes a type as C does: <c>struct file *</c>, <c>const char *</c>, <c>int [4]</c>.</summary>
    public string NameOf(int id)
    {
        StringBuilder text = new();
        string qualifiers = "";
        for (int i = 0; i < MaxChain; i++)
        {
            BtfType type = TypeOf(id);
            switch (type.Kind)
            {
                case BtfKind.Void: return qualifiers + "void" + (text.Length > 0 && text[0] == '*' ? " " : "") + text;
                case BtfKind.PointerTo: text.Insert(0, "*"); break;
                case BtfKind.Const or BtfKind.Volatile:
                    string word = type.Kind == BtfKind.Const ? "const" : "volatile";
                    if (TypeOf(type.Target).Kind == BtfKind.PointerTo)
                    {
                        text.Insert(0, " " + word);
                    }
                    else
                    {
                        qualifiers += word + " ";
                    }

                    break;
                case BtfKind.Array: text.Append(CultureInfo.InvariantCulture, $"[{type.Count}]"); break;
                case BtfKind.Restrict or BtfKind.TypeTag: break;
                case BtfKind.Prototype: return "function " + text;
                default:
                    string prefix = type.Kind switch
                    {
                        BtfKind.Struct => "struct ",
                        BtfKind.Union => "union ",
                        BtfKind.Enum or BtfKind.Enum64 => "enum ",
                        BtfKind.Forward => IsFlagged(type.Id) ? "union " : "struct ",
                        _ => "",
                    };
                    string gap = text.Length > 0 && text[0] is '*' ? " " : "";
                    return qualifiers + prefix + (type.Name.Length == 0 ? "{…}" : type.Name) + gap + text;
            }

            id = type.Target;
        }

        return "?";
    }

    private static KprobeTraceException Broken(string name, string what) =>
        new($"{name}: the kernel's type information (BTF) is damaged: {what}");

    private static BtfKind KindOf(uint info) => (BtfKind)((info >> 24) & 0x1F);

    private static int ExtraSize(BtfKind kind, int count) => kind switch
    {
        BtfKind.IntegerNumber or BtfKind.Variable or BtfKind.DeclarationTag => 4,
        BtfKind.Array => 12,
        BtfKind.Struct or BtfKind.Union or BtfKind.DataSection or BtfKind.Enum64 => count * 12,
        BtfKind.Enum or BtfKind.Prototype => count * 8,
        BtfKind.PointerTo or BtfKind.Forward or BtfKind.Typedef or BtfKind.Volatile or BtfKind.Const or BtfKind.Restrict
            or BtfKind.Function or BtfKind.FloatingPoint or BtfKind.TypeTag => 0,
        _ => -1,
    };

    private static int[] IndexTypes(string name, ReadOnlySpan<byte> types)
    {
        List<int> offsets = [0];
        int at = 0;
        while (at < types.Length)
        {
            int extra = types.Length - at < TypeSize ? -1 : ExtraSize(
                KindOf(BinaryPrimitives.ReadUInt32LittleEndian(types[(at + 4)..])),
                BinaryPrimitives.ReadUInt16LittleEndian(types[(at + 4)..]));
            if (extra < 0 || at + TypeSize + extra > types.Length)
            {
                throw Broken(name, $"type {offsets.Count} at offset {at} is of an unknown kind or cut off");
            }

            offsets.Add(at);
            at += TypeSize + extra;
        }

        return [.. offsets];
    }

    /// <summary>Where the chain of all types begins whose names have the same hash; 0 where there is none.</summary>
    private ref int HeadOf(ReadOnlySpan<byte> name) => ref _heads[XxHash3.HashToUInt64(name) % (ulong)_heads.Length];

    private void IndexNames()
    {
        for (int id = _offsets.Length - 1; id > 0; id--)
        {
            ReadOnlySpan<byte> name = NameAt(BinaryPrimitives.ReadUInt32LittleEndian(At(id)));
            if (!name.IsEmpty)
            {
                ref int head = ref HeadOf(name);
                _next[id] = head;
                head = id;
            }
        }
    }

    private ReadOnlySpan<byte> At(int id) => _types.Span[_offsets[id]..];

    private ReadOnlySpan<byte> NameAt(uint offset)
    {
        if (offset >= _strings.Length)
        {
            return default;
        }

        ReadOnlySpan<byte> name = _strings.Span[(int)offset..];
        int end = name.IndexOf((byte)0);
        return end < 0 ? default : name[..end];
    }

    private string StringAt(uint offset) => Encoding.UTF8.GetString(NameAt(offset));

    private BtfType? FindTypedefOfStruct(string name)
    {
        if (Find(name, BtfKind.Typedef) is not BtfType definition)
        {
            return null;
        }

        BtfType type = Resolve(definition.Id);
        return type.Kind is BtfKind.Struct or BtfKind.Union ? type : null;
    }

    private BtfParameter[] ParametersOf(BtfType prototype)
    {
        ReadOnlySpan<byte> at = At(prototype.Id)[TypeSize..];
        BtfParameter[] parameters = new BtfParameter[prototype.Count];
        for (int i = 0; i < parameters.Length; i++)
        {
            parameters[i] = new BtfParameter(
                StringAt(BinaryPrimitives.ReadUInt32LittleEndian(at[(i * 8)..])),
                (int)BinaryPrimitives.ReadUInt32LittleEndian(at[((i * 8) + 4)..]));
        }

        return parameters;
    }

    // With the kind flag, the offset word holds a bit-field's width in its top byte; without it, integers state theirs.
    private BtfMember MemberAt(ReadOnlySpan<byte> structure, int index, bool bitFields)
    {
        ReadOnlySpan<byte> at = structure[(TypeSize + (index * 12))..];
        int type = (int)BinaryPrimitives.ReadUInt32LittleEndian(at[4..]);
        uint offset = BinaryPrimitives.ReadUInt32LittleEndian(at[8..]);
        uint width = bitFields ? offset >> 24 : 0;
        return new BtfMember(
            StringAt(BinaryPrimitives.ReadUInt32LittleEndian(at)), type, bitFields ? offset & 0xFF_FFFF : offset, width);
    }

    private BtfMember? FindMember(BtfType type, byte[] name, int depth, ref int left)
    {
        if (depth > MaxChain || type.Kind is not (BtfKind.Struct or BtfKind.Union))
        {
            return null;
        }

        ReadOnlySpan<byte> at = At(type.Id);
        bool bitFields = (BinaryPrimitives.ReadUInt32LittleEndian(at[4..]) & KindFlag) != 0;
        for (int i = 0; i < type.Count && left-- > 0; i++)
        {
            ReadOnlySpan<byte> candidate = NameAt(
                BinaryPrimitives.ReadUInt32LittleEndian(at[(TypeSize + (i * 12))..]));
            if (candidate.SequenceEqual(name))
            {
                return MemberAt(at, i, bitFields);
            }

            if (candidate.IsEmpty)
            {
                BtfMember anonymous = MemberAt(at, i, bitFields);
                if (FindMember(Resolve(anonymous.Type), name, depth + 1, ref left) is BtfMember inner)
                {
                    return inner with { BitOffset = inner.BitOffset + anonymous.BitOffset };
                }
            }
        }

        return null;
    }

    private bool IsFlagged(int id) => (BinaryPrimitives.ReadUInt32LittleEndian(At(id)[4..]) & KindFlag) != 0;

    private byte IntEncoding(int id) => At(id)[TypeSize + 3];

    private static bool IsChar(BtfType type) => type.Kind == BtfKind.IntegerNumber && type.Size == 1 && type.Name.Contains("char", StringComparison.Ordinal);
}
