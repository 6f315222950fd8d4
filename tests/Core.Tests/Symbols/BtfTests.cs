using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Guest;
using Xunit;

namespace KprobeTrace.Tests.Symbols;

public sealed class BtfTests
{
    private readonly Btf _types;
    private readonly int _file;
    private readonly int _filePointer;
    private readonly int _unsignedChar;

    public BtfTests()
    {
        BtfBuilder builder = new();
        int number = builder.Int("int", 4, encoding: 1);
        int character = builder.Int("char", 1, encoding: 1);
        _unsignedChar = builder.Int("unsigned char", 1);
        int constant = builder.Refer(BtfKind.Const, character);
        int text = builder.Pointer(constant);
        int name = builder.Struct("qstr", 16, ("hash", number, 0, 0), ("name", text, 64, 0));
        int inline = builder.Array(character, number, 32);
        int dentry = builder.Struct("dentry", 64, ("d_name", name, 128, 0), ("d_iname", inline, 256, 0));
        int dentryPointer = builder.Pointer(dentry);
        int flags = builder.Struct("", 4, ("mode", number, 0, 3), ("late", number, 13, 5));
        int either = builder.Union("", 8, ("raw", number, 0, 0), ("", flags, 0, 0));
        int position = builder.Refer(BtfKind.Typedef, number, "loff_t");
        _file = builder.Struct(
            "file", 48, ("f_pos", position, 0, 0), ("", either, 64, 0), ("f_dentry", dentryPointer, 128, 0),
            ("f_inner", name, 192, 0));
        _filePointer = builder.Pointer(_file);
        int definition = builder.Refer(BtfKind.Typedef, _file, "file_t");
        builder.Enum("state", signed: false, ("RUNNING", 0), ("DEAD", 1));
        builder.Function("vfs_read", position, ("file", _filePointer), ("buf", text), ("", 0));
        Assert.NotEqual(0, definition);
        _types = Btf.Parse("kernel", builder.Build());
    }

    [Fact]
    public void Anonymous_structures_that_hold_each_other_have_no_member_and_no_end()
    {
        // Two ways down at each of 64 levels: 2^64 structures for whoever visits them all.
        BtfBuilder builder = new();
        int first = builder.Struct("first", 16, ("", 2, 0, 0), ("", 2, 64, 0));
        builder.Struct("", 16, ("", first, 0, 0), ("", first, 64, 0));
        Btf btf = Btf.Parse("kernel", builder.Build());

        Assert.Null(btf.FindMember(btf.TypeOf(first), "member"));
    }

    [Theory]
    [InlineData(0x1000, 0, true)]
    [InlineData(0x1000, -1, false)]
    [InlineData(GuestImage.Size, 0, true)]
    [InlineData(GuestImage.Size, 1, false)]
    public void An_image_without_sections_has_its_types_between_two_symbols(int end, int more, bool isFound)
    {
        BtfBuilder builder = new();
        builder.Struct("file", 16);
        byte[] types = builder.Build();
        LoadedImage image = GuestImage.Load(bytes => types.CopyTo(bytes, end - types.Length));
        ulong start = GuestImage.Text + (ulong)(end - types.Length);
        ulong stop = more < 0 ? start : GuestImage.Text + (ulong)(end + more);

        Btf? found = Btf.Load(image, GuestImage.Symbols(("__start_BTF", start), ("__stop_BTF", stop)));

        Assert.Equal(isFound, found is not null);
        Assert.Equal(isFound ? 16u : null, found?.FindStruct("file")?.Size);
        Assert.Null(Btf.Load(image, GuestImage.Symbols(("__start_BTF", start))));
        Assert.Null(Btf.Load(image, GuestImage.Symbols(("__stop_BTF", stop))));
    }

    [Fact]
    public void Finds_structures_by_name_and_by_typedef()
    {
        Assert.Equal(_file, _types.FindStruct("file")?.Id);
        Assert.Equal(_file, _types.FindStruct("file_t")?.Id);
        Assert.Null(_types.FindStruct("nosuch"));
        Assert.Null(_types.FindStruct("loff_t"));
    }

    [Theory]
    [InlineData("f_pos", 0u, 0u)]
    [InlineData("raw", 64u, 0u)]
    [InlineData("mode", 64u, 3u)]
    [InlineData("late", 77u, 5u)]
    [InlineData("f_dentry", 128u, 0u)]
    public void Finds_members_also_in_anonymous_parts(string name, uint bitOffset, uint bitSize)
    {
        BtfMember? member = _types.FindMember(_types.FindStruct("file")!.Value, name);

        Assert.Equal((bitOffset, bitSize), (member!.Value.BitOffset, member.Value.BitSize));
    }

    [Fact]
    public void Describes_functions()
    {
        BtfFunction function = _types.FindFunction("vfs_read")!;

        Assert.Equal(["file", "buf", ""], function.Parameters.Select(parameter => parameter.Name));
        Assert.Equal("struct file *", _types.NameOf(function.Parameters[0].Type));
        Assert.Equal("const char *", _types.NameOf(function.Parameters[1].Type));
        Assert.Equal("loff_t", _types.NameOf(function.ReturnType));
        Assert.Null(_types.FindFunction("file"));
    }

    [Fact]
    public void Sizes_and_scalars_follow_references()
    {
        BtfFunction function = _types.FindFunction("vfs_read")!;

        Assert.Equal(new BtfScalar(BtfKind.IntegerNumber, 4, true, false), _types.ScalarOf(function.ReturnType));
        Assert.Equal(new BtfScalar(BtfKind.PointerTo, 8, false, true), _types.ScalarOf(function.Parameters[1].Type));
        Assert.False(_types.ScalarOf(_unsignedChar).IsSigned);
        BtfMember inline = _types.FindMember(_types.FindStruct("dentry")!.Value, "d_iname")!.Value;
        Assert.Equal(32ul, _types.SizeOf(inline.Type));
        Assert.Equal(48ul, _types.SizeOf(_file));
        Assert.Equal(0ul, _types.SizeOf(0));
    }

    [Fact]
    public void Truncated_data_is_a_clear_error()
    {
        byte[] whole = new BtfBuilder().Build();
        BtfBuilder builder = new();
        builder.Struct("s", 4, ("m", 1, 0, 0));
        whole = builder.Build();

        for (int length = 0; length < whole.Length; length++)
        {
            KprobeTraceException error = Assert.Throws<KprobeTraceException>(
                () => Btf.Parse("kernel", whole.AsMemory(0, length)));
            Assert.StartsWith("kernel: ", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Types_that_refer_in_circles_end()
    {
        BtfBuilder builder = new();
        builder.Refer(BtfKind.Typedef, 2, "a");
        builder.Refer(BtfKind.Const, 1);
        builder.Struct("loop", 8, ("", 3, 0, 0));
        builder.Array(4, 4, 1000);
        Btf types = Btf.Parse("kernel", builder.Build());

        Assert.Equal(BtfKind.Void, types.Resolve(1).Kind);
        Assert.Null(types.FindMember(types.TypeOf(3), "x"));
        Assert.Equal(0ul, types.SizeOf(4));
        Assert.Equal("const a", types.NameOf(2));
    }

    [Fact]
    public void Numbers_out_of_range_are_void()
    {
        Assert.Equal(BtfKind.Void, _types.TypeOf(-1).Kind);
        Assert.Equal(BtfKind.Void, _types.TypeOf(int.MaxValue).Kind);
        Assert.Equal("void", _types.NameOf(99999));
    }
}
