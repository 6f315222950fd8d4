using KprobeTrace.Cpu;
using KprobeTrace.Probes;
using Xunit;

namespace KprobeTrace.Tests.Probes;

public sealed unsafe class TypedArgumentTests
{
    private const ulong Path = 0xffff_8880_0000_1000;
    private const ulong Dentry = 0xffff_8880_0000_2000;
    private const ulong Parent = 0xffff_8880_0000_3000;
    private const ulong Name = 0xffff_8880_0000_4000;
    private readonly FakeProbeTarget _target = new() { Types = new FakeProbeTypes() };
    private readonly FakeFetchEnvironment _environment = new();

    public TypedArgumentTests()
    {
        _environment.WriteWord(Path + 8, Dentry);
        _environment.Write(Dentry, new byte[256]);
        _environment.WriteWord(Dentry + 24, Parent);
        _environment.WriteWord(Dentry + 32, 0x0000_0006_0000_0000);
        _environment.WriteWord(Dentry + 40, Name);
        _environment.Write(Dentry + 56, "inline"u8);
        _environment.WriteWord(Dentry + 72, 0x0000_0002_0000_0001);
        _environment.WriteWord(Dentry + 80, 0x0000_0058_0000_0003);
        _environment.WriteText(Name, "passwd");
        _environment.WriteText(0xffff_8880_0000_5000, "argument");
    }

    [Theory]
    [InlineData("count", "count=4294967291")]
    [InlineData("n=count", "n=4294967291")]
    [InlineData("count:s32", "count=-5")]
    [InlineData("tiny", "tiny=-2")]
    [InlineData("path", "path=0xffff888000001000")]
    [InlineData("name", "name=0xffff888000005000")]
    [InlineData("name:string", "name=\"argument\"")]
    [InlineData("path->dentry", "dentry=0xffff888000002000")]
    [InlineData("path->dentry:u64", "dentry=18446612682070040576")]
    [InlineData("path->dentry->d_name.len", "len=6")]
    [InlineData("path->dentry->d_name.name:string", "arg1=\"passwd\"")]
    [InlineData("path->dentry path->dentry->d_parent->d_parent path->dentry", "dentry=0xffff888000002000 d_parent=(fault) arg3=0xffff888000002000")]
    [InlineData("dentry=%ax path->dentry", "dentry=0x0 arg2=0xffff888000002000")]
    [InlineData("path->dentry->d_name.name $arg*", "arg1=0xffff888000004000 path=0xffff888000001000 count=4294967291 name=0xffff888000005000 tiny=-2")]
    [InlineData("len=path->dentry->d_name.len", "len=6")]
    [InlineData("n=path->dentry->d_name.name:string", "n=\"passwd\"")]
    [InlineData("n=path->dentry->d_name.name", "n=0xffff888000004000")]
    [InlineData("c=path->dentry->d_counts p=$pid", "c={1,2,3} p=92")]
    [InlineData("c=path->dentry->d_counts t=tiny", "c={1,2,3} t=-2")]
    [InlineData("b=path->dentry->d_bits c=path->dentry->d_name.len", "b=11 c=6")]
    [InlineData("b=path->dentry->d_bits:u32", "b=88")]
    [InlineData("s=+0(name):string", "s=\"argument\"")]
    [InlineData("s=+8(path->dentry):u64", "s=0")]
    [InlineData("s=+32(path->dentry):x64", "s=0x600000000")]
    [InlineData("s=+0(path->dentry->d_bits):x8", "s=(fault)")]
    [InlineData("name:ustring", "name=(fault)")]
    [InlineData("i=path->dentry->d_iname", "i=\"inline\"")]
    [InlineData("i=path->dentry->d_iname:string", "i=\"inline\"")]
    [InlineData("c=path->dentry->d_counts", "c={1,2,3}")]
    [InlineData("c=path->dentry->d_counts:x32[2]", "c={0x1,0x2}")]
    [InlineData("b=path->dentry->d_bits", "b=11")]
    [InlineData("p=path->dentry->d_parent->d_parent", "p=(fault)")]
    [InlineData("$arg*", "path=0xffff888000001000 count=4294967291 name=0xffff888000005000 tiny=-2")]
    [InlineData("x=%ax $arg*", "x=0x0 path=0xffff888000001000 count=4294967291 name=0xffff888000005000 tiny=-2")]
    public void Parameters_and_members_are_fetched_with_their_types(string argument, string expected)
    {
        FetchProgram program = ProbeDefinition.Parse($"p fn {argument}", _target).CompileArguments();
        FetchBuffer buffer = program.CreateBuffer();
        PtRegs registers = new() { Di = Path, Si = 0xFFFF_FFFB, Dx = 0xffff_8880_0000_5000, Cx = 0xFE };
        // SAFETY: a local of this frame, alive through the call.
        program.Execute(&registers, _environment, buffer);

        Assert.Equal(expected, buffer.Format());
    }

    [Theory]
    [InlineData("p fn nosuch", 5, "This variable is not found at this probe point")]
    [InlineData("p fn x=path->nosuch", 13, "This field is not found.")]
    [InlineData("p fn path->dentry->d_name.nosuch", 26, "This field is not found.")]
    [InlineData("p fn count->x", 10, "This is not a pointer to union/structure.")]
    [InlineData("p fn path.dentry", 9, "This is not a pointer to union/structure.")]
    [InlineData("p fn path->dentry.d_name", 17, "This is not a pointer to union/structure.")]
    [InlineData("p fn path->dentry->d_name", 5, "Unknown type is specified")]
    [InlineData("p nextfn count", 9, "No BTF entry for this probe point")]
    [InlineData("p fn+3 count", 7, "This variable is not found at this probe point")]
    [InlineData("p fn+3 $arg*", 7, "$arg* can be used only on function entry")]
    [InlineData("r fn $arg*", 5, "$arg* can be used only on function entry")]
    [InlineData("p fn $arg* $arg*", 11, "$arg* can be used only once in the parameters")]
    [InlineData("p fn count:string", 11, "String accepts only memory argument")]
    [InlineData("p fn path->", 5, "Invalid fetch argument")]
    [InlineData("p fn path->dentry->", 5, "Invalid fetch argument")]
    [InlineData("p fn path->1x", 5, "Invalid fetch argument")]
    public void Refusals_point_at_what_is_wrong(string line, int column, string text)
    {
        Assert.False(ProbeDefinitionParser.TryParse(line, _target, out _, out ProbeError? error));

        Assert.Equal(text, error.Message);
        Assert.Equal(column, error.Column);
    }

    [Fact]
    public void Image_without_types_says_so()
    {
        Assert.False(ProbeDefinitionParser.TryParse("p fn count", new FakeProbeTarget(), out _, out ProbeError? error));
        Assert.Equal("BTF is not available or not supported", error.Message);
    }
}
