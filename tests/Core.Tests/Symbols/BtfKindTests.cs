using System.Buffers.Binary;
using KprobeTrace.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Symbols;

/// <summary>Types of every kind, chains of them, and headers at their limits.</summary>
public sealed class BtfKindTests
{
    private const int MaxChain = 64;

    /// <summary>A type by its kind, as a function that adds it, and all that is said of it.</summary>
    private static readonly (string Kind, Func<BtfBuilder, int> Add, string Expected)[] _kinds =
    [
        ("void", _ => 0, "Void '' size 0 name 'void' scalar Void 0 unsigned"),
        ("int", b => b.Int("int", 4, 1), "IntegerNumber 'int' size 4 name 'int' scalar IntegerNumber 4 signed"),
        ("unsigned int", b => b.Int("unsigned int", 4), "IntegerNumber 'unsigned int' size 4 name 'unsigned int' scalar IntegerNumber 4 unsigned"),
        ("character", b => b.Int("char", 1, 3), "IntegerNumber 'char' size 1 name 'char' scalar IntegerNumber 1 signed"),
        ("boolean", b => b.Int("_Bool", 1, 4), "IntegerNumber '_Bool' size 1 name '_Bool' scalar IntegerNumber 1 unsigned"),
        ("128-bit", b => b.Int("__int128", 16, 1), "IntegerNumber '__int128' size 16 name '__int128' scalar IntegerNumber 16 signed"),
        ("pointer to void", b => b.Pointer(0), "PointerTo '' size 8 name 'void *' scalar PointerTo 8 unsigned"),
        ("pointer to char", b => b.Pointer(b.Int("char", 1, 1)), "PointerTo '' size 8 name 'char *' scalar PointerTo 8 unsigned text"),
        ("pointer to unsigned char", b => b.Pointer(b.Int("unsigned char", 1)), "PointerTo '' size 8 name 'unsigned char *' scalar PointerTo 8 unsigned text"),
        ("pointer to const char", b => b.Pointer(b.Refer(BtfKind.Const, b.Int("char", 1, 1))), "PointerTo '' size 8 name 'const char *' scalar PointerTo 8 unsigned text"),
        ("pointer to a byte", b => b.Pointer(b.Int("u8", 1)), "PointerTo '' size 8 name 'u8 *' scalar PointerTo 8 unsigned"),
        ("pointer to wide characters", b => b.Pointer(b.Int("wchar", 4)), "PointerTo '' size 8 name 'wchar *' scalar PointerTo 8 unsigned"),
        ("pointer to pointer", b => b.Pointer(b.Pointer(b.Int("char", 1, 1))), "PointerTo '' size 8 name 'char **' scalar PointerTo 8 unsigned"),
        ("constant pointer", b => b.Refer(BtfKind.Const, b.Pointer(b.Int("int", 4, 1))), "Const '' size 8 name 'int * const' scalar PointerTo 8 unsigned"),
        ("array", b => b.Array(b.Int("int", 4, 1), 1, 3), "Array '' size 12 name 'int[3]' scalar Array 12 unsigned"),
        ("array of none", b => b.Array(b.Int("int", 4, 1), 1, 0), "Array '' size 0 name 'int[0]' scalar Array 0 unsigned"),
        ("array of arrays", b => b.Array(b.Array(b.Int("short", 2, 1), 1, 5), 1, 3), "Array '' size 30 name 'short[3][5]' scalar Array 30 unsigned"),
        ("array of pointers", b => b.Array(b.Pointer(0), 1, 3), "Array '' size 24 name 'void *[3]' scalar Array 24 unsigned"),
        ("structure", b => b.Struct("s", 24, ("a", b.Int("int", 4, 1), 0, 0)), "Struct 's' size 24 name 'struct s' scalar Struct 24 unsigned"),
        ("union", b => b.Union("u", 16), "Union 'u' size 16 name 'union u' scalar Union 16 unsigned"),
        ("anonymous structure", b => b.Struct("", 8), "Struct '' size 8 name 'struct {…}' scalar Struct 8 unsigned"),
        ("enum", b => b.Enum("e", signed: false, ("A", 1)), "Enum 'e' size 4 name 'enum e' scalar Enum 4 unsigned"),
        ("signed enum", b => b.Enum("e", signed: true, ("A", 1), ("B", uint.MaxValue)), "Enum 'e' size 4 name 'enum e' scalar Enum 4 signed"),
        ("enum64", b => b.Enum64("e", signed: false, ("A", ulong.MaxValue)), "Enum64 'e' size 8 name 'enum e' scalar Enum64 8 unsigned"),
        ("signed enum64", b => b.Enum64("e", signed: true, ("A", 1), ("B", 2)), "Enum64 'e' size 8 name 'enum e' scalar Enum64 8 signed"),
        ("declared structure", b => b.Forward("f", union: false), "Forward 'f' size 0 name 'struct f' scalar Forward 0 unsigned"),
        ("declared union", b => b.Forward("f", union: true), "Forward 'f' size 0 name 'union f' scalar Forward 0 unsigned"),
        ("typedef", b => b.Refer(BtfKind.Typedef, b.Int("int", 4, 1), "pid_t"), "Typedef 'pid_t' size 4 name 'pid_t' scalar IntegerNumber 4 signed"),
        ("const", b => b.Refer(BtfKind.Const, b.Int("int", 4, 1)), "Const '' size 4 name 'const int' scalar IntegerNumber 4 signed"),
        ("volatile", b => b.Refer(BtfKind.Volatile, b.Int("int", 4, 1)), "Volatile '' size 4 name 'volatile int' scalar IntegerNumber 4 signed"),
        ("const volatile", b => b.Refer(BtfKind.Const, b.Refer(BtfKind.Volatile, b.Int("int", 4, 1))), "Const '' size 4 name 'const volatile int' scalar IntegerNumber 4 signed"),
        ("restrict", b => b.Refer(BtfKind.Restrict, b.Pointer(0)), "Restrict '' size 8 name 'void *' scalar PointerTo 8 unsigned"),
        ("type tag", b => b.Pointer(b.Refer(BtfKind.TypeTag, b.Int("char", 1, 1), "user")), "PointerTo '' size 8 name 'char *' scalar PointerTo 8 unsigned text"),
        ("typedef of an array", b => b.Refer(BtfKind.Typedef, b.Array(b.Int("int", 4, 1), 1, 4), "four"), "Typedef 'four' size 16 name 'four' scalar Array 16 unsigned"),
        ("array of typedefs of arrays", b => b.Array(b.Refer(BtfKind.Typedef, b.Array(b.Int("int", 4, 1), 1, 4), "four"), 1, 2), "Array '' size 32 name 'four[2]' scalar Array 32 unsigned"),
        ("float", b => b.Float("double", 8), "FloatingPoint 'double' size 8 name 'double' scalar FloatingPoint 8 unsigned"),
        ("variable", b => b.Variable("jiffies", b.Int("long", 8, 1)), "Variable 'jiffies' size 8 name 'jiffies' scalar IntegerNumber 8 signed"),
        ("data section", b => b.DataSection(".data", 48, (1, 0, 4), (2, 8, 8)), "DataSection '.data' size 48 name '.data' scalar DataSection 48 unsigned"),
        ("declaration tag", b => b.DeclarationTag("kfunc", b.Int("int", 4, 1), -1), "DeclarationTag 'kfunc' size 0 name 'kfunc' scalar DeclarationTag 0 unsigned"),
        ("prototype", b => b.Prototype(0, ("a", 1), ("b", 1)), "Prototype '' size 0 name 'function ' scalar Prototype 0 unsigned"),
        ("pointer to a function", b => b.Pointer(b.Prototype(0)), "PointerTo '' size 8 name 'function *' scalar PointerTo 8 unsigned"),
        ("function", b => b.Function("f", 0, ("a", 1)), "Function 'f' size 0 name 'f' scalar Function 0 unsigned"),
    ];

    public static TheoryData<string> Kinds => [.. _kinds.Select(k => k.Kind)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Type_of_each_kind_is_what_it_was_written_as_and_so_are_those_around_it(string kind)
    {
        (_, Func<BtfBuilder, int> add, string expected) = _kinds.Single(k => k.Kind == kind);
        BtfBuilder builder = new();
        int before = builder.Int("before", 2);
        int id = add(builder);
        int after = builder.Int("after", 8, 1);
        Btf types = Btf.Parse("kernel", builder.Build());

        Assert.Equal(expected, Describe(types, id));
        Assert.Equal("IntegerNumber 'before' size 2 name 'before' scalar IntegerNumber 2 unsigned", Describe(types, before));
        Assert.Equal("IntegerNumber 'after' size 8 name 'after' scalar IntegerNumber 8 signed", Describe(types, after));
        Assert.Equal(after + 1, types.Count);
        BtfType type = types.TypeOf(id);
        if (type.Name.Length > 0)
        {
            Assert.Equal(type, types.Find(type.Name, type.Kind));
            Assert.Null(types.Find(type.Name, BtfKind.Restrict));
        }
    }

    [Fact]
    public void All_kinds_stand_beside_each_other()
    {
        BtfBuilder builder = new();
        List<(int Id, string Expected)> all = [];
        foreach ((string _, Func<BtfBuilder, int> add, string expected) in _kinds)
        {
            all.Add((add(builder), expected));
        }

        Btf types = Btf.Parse("kernel", builder.Build());
        Assert.All(all, type => Assert.Equal(type.Expected, Describe(types, type.Id)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(MaxChain - 1)]
    [InlineData(MaxChain)]
    [InlineData(MaxChain + 1)]
    public void Chain_of_references_is_followed_to_its_end_within_sixty_four(int links)
    {
        BtfKind[] kinds = [BtfKind.Typedef, BtfKind.Const, BtfKind.Volatile, BtfKind.Restrict, BtfKind.TypeTag];
        BtfBuilder builder = new();
        int id = builder.Int("int", 4, 1);
        for (int i = 0; i < links; i++)
        {
            id = builder.Refer(kinds[i % kinds.Length], id, kinds[i % kinds.Length] is BtfKind.Typedef or BtfKind.TypeTag ? $"t{i}" : "");
        }

        Btf types = Btf.Parse("kernel", builder.Build());
        bool reached = links < MaxChain;
        Assert.Equal(reached ? BtfKind.IntegerNumber : BtfKind.Void, types.Resolve(id).Kind);
        Assert.Equal(reached ? 4ul : 0, types.SizeOf(id));
    }

    [Theory]
    [InlineData(1, 2ul)]
    [InlineData(2, 4ul)]
    [InlineData(32, 1ul << 32)]
    [InlineData(63, 1ul << 63)]
    [InlineData(64, 0ul)]
    public void Sizes_of_arrays_in_arrays_multiply(int levels, ulong size)
    {
        BtfBuilder builder = new();
        int id = builder.Int("char", 1);
        for (int i = 0; i < levels; i++)
        {
            id = builder.Array(id, 1, 2);
        }

        Btf types = Btf.Parse("kernel", builder.Build());
        Assert.Equal(size, types.SizeOf(id));
        Assert.Equal((uint)Math.Min(size, uint.MaxValue), types.ScalarOf(id).Size);
    }

    [Fact]
    public void Members_have_offsets_of_24_bits_with_bit_fields_and_of_32_without()
    {
        BtfBuilder builder = new();
        int number = builder.Int("unsigned int", 4);
        int plain = builder.Struct("plain", 1u << 29, ("low", number, 0, 0), ("high", number, 0xFFFF_FFE0, 0));
        int bits = builder.Struct("bits", 1u << 21, ("one", number, 1, 1), ("wide", number, 0xFF_FFE0, 32), ("whole", number, 0xFF_FFC0, 0), ("top", number, 7, 255));
        Btf types = Btf.Parse("kernel", builder.Build());

        Assert.Equal([new BtfMember("low", number, 0, 0), new BtfMember("high", number, 0xFFFF_FFE0, 0)], types.MembersOf(types.TypeOf(plain)));
        Assert.Equal(
            [new BtfMember("one", number, 1, 1), new BtfMember("wide", number, 0xFF_FFE0, 32), new BtfMember("whole", number, 0xFF_FFC0, 0), new BtfMember("top", number, 7, 255)],
            types.MembersOf(types.TypeOf(bits)));
        Assert.Equal(0x1FFF_FFFCu, types.OffsetOf("plain", "high"));
        Assert.Equal(0x1F_FFFCu, types.OffsetOf("bits", "wide"));
        Assert.Null(types.OffsetOf("bits", "nosuch"));
        Assert.Null(types.OffsetOf("nosuch", "one"));
        Assert.Empty(types.MembersOf(types.TypeOf(number)));
    }

    [Fact]
    public void Members_are_found_at_the_sum_of_the_offsets_on_their_way()
    {
        // Structures of random depth, anonymous and not; what is in them is kept in a list beside them.
        Random random = new(5);
        for (int round = 0; round < 300; round++)
        {
            BtfBuilder builder = new();
            int number = builder.Int("u32", 4);
            Dictionary<string, (uint Offset, uint Size)> expected = [];
            int names = 0;
            int id = Level(0);
            Btf types = Btf.Parse("kernel", builder.Build());

            foreach ((string name, (uint offset, uint size)) in expected)
            {
                BtfMember member = Assert.NotNull(types.FindMember(types.TypeOf(id), name));
                Assert.Equal((name, offset, size), (member.Name, member.BitOffset, member.BitSize));
            }

            Assert.Null(types.FindMember(types.TypeOf(id), "hidden"));

            int Level(uint start)
            {
                List<(string, int, uint, uint)> members = [];
                uint at = 0;
                for (int i = random.Next(1, 5); i > 0; i--)
                {
                    at += (uint)random.Next(8, 64) * 8;
                    switch (random.Next(4))
                    {
                        case 0 when start + at < 4000:
                            int inner = Level(start + at);
                            members.Add(("", random.Next(2) == 0 ? inner : builder.Refer(BtfKind.Const, inner), at, 0));
                            break;
                        case 1:
                            // A structure with a name hides what is in it.
                            members.Add(($"m{names}", builder.Struct("", 8, ("hidden", number, 0, 0)), at, 0));
                            expected[$"m{names++}"] = (start + at, 0);
                            break;
                        case 2:
                            members.Add(($"m{names}", number, at + 3, 5));
                            expected[$"m{names++}"] = (start + at + 3, 5);
                            break;
                        default:
                            members.Add(($"m{names}", number, at, 0));
                            expected[$"m{names++}"] = (start + at, 0);
                            break;
                    }
                }

                return random.Next(2) == 0 ? builder.Struct("", 4096, [.. members]) : builder.Union("", 4096, [.. members]);
            }
        }
    }

    [Fact]
    public void First_of_several_types_of_one_name_and_kind_is_found()
    {
        BtfBuilder builder = new();
        int number = builder.Int("int", 4, 1);
        builder.Forward("s", union: false);
        int typedef = builder.Refer(BtfKind.Typedef, number, "s");
        int first = builder.Struct("s", 8);
        builder.Struct("s", 16);
        int union = builder.Union("u", 4);
        builder.Refer(BtfKind.Typedef, first, "u");
        int alias = builder.Refer(BtfKind.Typedef, first, "alias");
        builder.Refer(BtfKind.Typedef, builder.Refer(BtfKind.Const, union), "either");
        builder.Refer(BtfKind.Typedef, builder.Enum("e", signed: false), "choice");
        Btf types = Btf.Parse("kernel", builder.Build());

        Assert.Equal(first, types.FindStruct("s")?.Id);
        Assert.Equal(union, types.FindStruct("u")?.Id);
        Assert.Equal(first, types.FindStruct("alias")?.Id);
        Assert.Equal(union, types.FindStruct("either")?.Id);
        Assert.Null(types.FindStruct("choice"));
        Assert.Equal(typedef, types.Find("s", BtfKind.Typedef)?.Id);
        Assert.Equal(alias, types.Find("alias", BtfKind.Typedef)?.Id);
        Assert.Null(types.Find("", BtfKind.Struct));
        Assert.Null(types.Find("ss", BtfKind.Struct));
    }

    [Fact]
    public void Function_has_the_parameters_and_the_result_of_its_prototype()
    {
        BtfBuilder builder = new();
        int number = builder.Int("int", 4, 1);
        int pointer = builder.Pointer(number);
        builder.Function("none", 0);
        builder.Function("two", pointer, ("a", number), ("b", pointer));
        builder.Function("dots", number, ("format", pointer), ("", 0));
        builder.Refer(BtfKind.Function, number, "odd");
        Btf types = Btf.Parse("kernel", builder.Build());

        Assert.Equal((0, 0), (types.FindFunction("none")!.Parameters.Count, types.FindFunction("none")!.ReturnType));
        Assert.Equal([new BtfParameter("a", number), new BtfParameter("b", pointer)], types.FindFunction("two")!.Parameters);
        Assert.Equal(pointer, types.FindFunction("two")!.ReturnType);
        Assert.Equal([new BtfParameter("format", pointer), new BtfParameter("", 0)], types.FindFunction("dots")!.Parameters);
        Assert.Null(types.FindFunction("odd"));
        Assert.Null(types.FindFunction("int"));
    }

    /// <summary>Where a field of the header stands, its value as a difference to a sound one, and whether it is sound, too.</summary>
    [Theory]
    [InlineData(0, 1, false)]
    [InlineData(2, 1, false)]
    [InlineData(2, -1, false)]
    [InlineData(3, 1, true)]
    [InlineData(20, 1, false)]
    [InlineData(20, -1, true)]
    [InlineData(12, 1, false)]
    public void Header_is_sound_or_refused(int at, int difference, bool sound)
    {
        BtfBuilder builder = new();
        builder.Int("int", 4, 1);
        byte[] bytes = builder.Build();
        bytes[at] = (byte)(bytes[at] + difference);

        Exception? error = Record.Exception(() => Btf.Parse("kernel", bytes));

        Assert.Equal(sound, error is null);
        Assert.True(error is null or KprobeTraceException);
    }

    [Fact]
    public void Header_says_where_types_and_strings_begin()
    {
        BtfBuilder builder = new();
        builder.Struct("s", 16, ("m", 0, 64, 0));
        byte[] bytes = builder.Build();
        int types = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(12));
        int strings = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(20));

        // A longer header, the strings first, and something between.
        byte[] moved = new byte[32 + strings + 4 + types];
        bytes.AsSpan(0, 24).CopyTo(moved);
        BinaryPrimitives.WriteInt32LittleEndian(moved.AsSpan(4), 32);
        BinaryPrimitives.WriteInt32LittleEndian(moved.AsSpan(8), strings + 4);
        BinaryPrimitives.WriteInt32LittleEndian(moved.AsSpan(16), 0);
        bytes.AsSpan(24 + types, strings).CopyTo(moved.AsSpan(32));
        bytes.AsSpan(24, types).CopyTo(moved.AsSpan(32 + strings + 4));

        Assert.Equal(8u, Btf.Parse("kernel", moved).OffsetOf("s", "m"));
        Assert.Equal(8u, Btf.Parse("kernel", bytes).OffsetOf("s", "m"));
    }

    [Theory]
    [InlineData(19, true)]
    [InlineData(20, false)]
    [InlineData(31, false)]
    [InlineData(0, false)]
    public void Kinds_are_those_of_the_format(int kind, bool known)
    {
        BtfBuilder builder = new();
        builder.Refer((BtfKind)kind, 0);

        Exception? error = Record.Exception(() => Btf.Parse("kernel", builder.Build()));

        Assert.Equal(known, error is null);
        Assert.True(error is null || error.Message.Contains("type 1 at offset 0 is of an unknown kind", StringComparison.Ordinal));
    }

    private static string Describe(Btf types, int id)
    {
        BtfType type = types.TypeOf(id);
        BtfScalar scalar = types.ScalarOf(id);
        return $"{type.Kind} '{type.Name}' size {types.SizeOf(id)} name '{types.NameOf(id)}' scalar {scalar.Kind} {scalar.Size} "
            + (scalar.IsSigned ? "signed" : "unsigned") + (scalar.IsCharPointer ? " text" : "");
    }
}
