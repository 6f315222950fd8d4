using KprobeTrace.Cpu;
using KprobeTrace.Probes;
using Xunit;

namespace KprobeTrace.Tests.Probes;

public sealed unsafe class FetchProgramTests
{
    private const ulong Stack = 0xffff_c900_0000_3e00;
    private readonly FakeFetchEnvironment _environment = new();
    private PtRegs _registers;

    public FetchProgramTests()
    {
        _registers.Ax = 0xffff_ffff_ffff_fff2;
        _registers.Di = 0xffff_8880_0000_1000;
        _registers.Si = 0x40_0000;
        _registers.Sp = Stack;
        _registers.Ip = FakeProbeTarget.Function + 1;
        _environment.WriteWord(Stack, FakeProbeTarget.Function);
        _environment.WriteWord(Stack + 8, 0x1234);
    }

    [Fact]
    public void E03_stack_pointer_and_stack_words()
    {
        Assert.Equal(
            "arg1=0xffffc90000003e00 arg2=0xffffffff81000000 arg3=0xffffffff81000000",
            Fetch("p fn $stack $stack0 +0($stack)"));
    }

    [Fact]
    public void Stack_word_outside_the_thread_stack_is_zero()
    {
        _environment.WriteWord(0xffff_c900_0000_4000, 7);

        Assert.Equal("arg1=0x0", Fetch("p fn $stack64"));
    }

    [Fact]
    public void E04_comm_is_quoted() => Assert.Equal("arg1=\"cat\"", Fetch("p fn $comm"));

    [Fact]
    public void E05_widths_and_signs_of_one_source()
    {
        Assert.Equal("arg1=242 arg2=65522 arg3=4294967282 arg4=18446744073709551602",
            Fetch("p fn %ax:u8 %ax:u16 %ax:u32 %ax:u64"));
        Assert.Equal("arg1=-14 arg2=-14 arg3=-14 arg4=-14", Fetch("p fn %ax:s8 %ax:s16 %ax:s32 %ax:s64"));
        Assert.Equal("arg1=0xf2 arg2=0xfff2 arg3=0xfffffff2 arg4=0xfffffffffffffff2",
            Fetch("p fn %ax:x8 %ax:x16 %ax:x32 %ax:x64"));
        Assert.Equal("arg1=0xfffffffffffffff2", Fetch("p fn %ax"));
    }

    [Fact]
    public void E05_bit_fields_cut_from_their_container()
    {
        _registers.Ax = 0xabcd;

        Assert.Equal("arg1=13 arg2=12 arg3=2 arg4=43981",
            Fetch("p fn %ax:b4@0/8 %ax:b4@4/16 %ax:b2@14/32 %ax:b16@0/64"));
    }

    [Fact]
    public void E05_bit_field_of_memory()
    {
        _environment.Write(_registers.Di, [0b1011_0100]);

        Assert.Equal("arg1=5", Fetch("p fn +0(%di):b3@2/8"));
    }

    [Fact]
    public void E06_user_strings_by_type_and_by_dereference_agree()
    {
        _environment.WriteText(0x40_0000, "/etc/passwd");

        Assert.Equal("a=\"/etc/passwd\" b=\"/etc/passwd\"",
            Fetch("p fn a=+0($arg2):ustring b=+u0($arg2):string"));
    }

    [Fact]
    public void E06_user_string_at_a_kernel_address_is_a_fault()
    {
        _environment.WriteText(_registers.Di, "kernel");

        Assert.Equal("a=(fault) b=(fault) c=\"kernel\"",
            Fetch("p fn a=+0($arg1):ustring b=+u0($arg1):string c=+0($arg1):string"));
    }

    [Theory]
    [InlineData("+0(+0(%ax))")]
    [InlineData("+0(%ax):u8")]
    [InlineData("+0(%ax):s64")]
    [InlineData("+0(%ax):b4@0/8")]
    [InlineData("+0(%ax):symbol")]
    [InlineData("+0(%ax):symstr")]
    [InlineData("+0(+8(%ax)):string")]
    [InlineData("+0(%ax):ustring")]
    [InlineData("+u0(%ax):u32")]
    [InlineData("@0xffff888000990000")]
    public void What_cannot_be_read_is_a_fault_whatever_its_type(string fetch)
    {
        FetchProgram program = ProbeDefinition.Parse($"p fn bad={fetch} good=%di").CompileArguments();
        FetchBuffer buffer = program.CreateBuffer();
        Execute(program, buffer);

        Assert.StartsWith("bad=(fault) good=0x", buffer.Format(_environment), StringComparison.Ordinal);
        Assert.True(buffer.IsFaulted(0));
        Assert.True(buffer.Text(0).IsEmpty);
        Assert.False(buffer.IsFaulted(1));
    }

    [Fact]
    public void Of_an_array_only_those_elements_are_faults_that_cannot_be_read()
    {
        const ulong last = 0xffff_8880_0077_0ffc;
        _environment.Write(last, [7, 0, 0, 0]);
        _registers.Cx = last;
        FetchProgram program = ProbeDefinition.Parse("p fn a=+0(%cx):u32[2] b=+0(%ax):u8[2]").CompileArguments();
        FetchBuffer buffer = program.CreateBuffer();
        Execute(program, buffer);

        Assert.Equal("a={7,(fault)} b={(fault),(fault)}", buffer.Format());
        Assert.Equal((false, true), (buffer.IsFaulted(0, 0), buffer.IsFaulted(0, 1)));
    }

    [Fact]
    public void Word_of_the_stack_that_cannot_be_read_is_a_fault_and_one_beyond_the_stack_is_0()
    {
        _registers.Sp = 0xffff_8880_0066_3ff0;

        Assert.Equal("arg1=(fault) arg2=0x0", Fetch("p fn $stack1 $stack2"));
    }

    [Fact]
    public void Arrays_of_numbers()
    {
        _environment.Write(_registers.Di, [1, 0, 2, 0, 0xff, 0xff]);

        Assert.Equal("a={1,2,65535} b={1,0} c={1,2,-1} d={0x1}",
            Fetch("p fn a=+0(%di):u16[3] b=+0(%di):u8[2] c=+0(%di):s16[3] d=+0(%di):x16[1]"));
    }

    [Fact]
    public void Array_of_strings_is_an_array_of_pointers()
    {
        _environment.WriteText(0xffff_8880_0000_2000, "one");
        _environment.WriteText(0x40_0000, "two");
        _environment.WriteWord(_registers.Di, 0xffff_8880_0000_2000);
        _environment.WriteWord(_registers.Di + 8, 0x40_0000);
        _environment.WriteWord(_registers.Di + 16, 0xffff_8880_0099_0000);

        Assert.Equal("a={\"one\",\"two\",(fault)} b=\"one\"",
            Fetch("p fn a=+0(%di):string[3] b=+0(+0(%di)):string"));
    }

    [Fact]
    public void Constants_and_variables()
    {
        Assert.Equal(
            "imm=0x2a neg=-1 str=\"hello\" pid=92 cpu=3 insn=1000",
            Fetch("p fn imm=\\42 neg=\\-1:s32 str=\\\"hello\" pid=$pid cpu=$cpu insn=$insn"));
    }

    [Fact]
    public void Seventh_argument_is_above_the_return_address()
    {
        (_registers.Dx, _registers.Cx, _registers.R8, _registers.R9) = (3, 4, 5, 6);

        Assert.Equal("arg1=0xffff888000001000 arg2=0x400000 arg3=0x3 arg4=0x4 arg5=0x5 arg6=0x6 arg7=0x1234",
            Fetch("p fn $arg1 $arg2 $arg3 $arg4 $arg5 $arg6 $arg7"));
    }

    [Fact]
    public void Return_value_is_ax() => Assert.Equal("arg1=-14", Fetch("r fn $retval:s64"));

    [Fact]
    public void Negative_offsets_reach_below()
    {
        _environment.WriteWord(_registers.Di - 8, 77);

        Assert.Equal("arg1=77", Fetch("p fn -8(%di):u64"));
    }

    [Fact]
    public void Data_symbols_resolve_against_the_image()
    {
        _environment.WriteWord(FakeProbeTarget.Data + 8, 99);

        Assert.Equal("arg1=99", Fetch("p fn @datasym+8:u64"));
    }

    [Fact]
    public void Symbol_types_name_addresses()
    {
        Assert.Equal("a=sym+0x0/0x100 b=\"sym+0x0/0x100\"", Fetch("p fn a=$stack0:symbol b=$stack0:symstr"));
    }

    [Fact]
    public void String_ends_at_4095_bytes()
    {
        _environment.WriteText(_registers.Di, new string('x', 5000));
        FetchProgram program = ProbeDefinition.Parse("p fn +0(%di):string").CompileArguments();
        FetchBuffer buffer = program.CreateBuffer();
        Execute(program, buffer);

        Assert.Equal(4095, buffer.Text(0).Length);
    }

    [Fact]
    public void Hits_allocate_nothing()
    {
        _environment.WriteText(_registers.Di, "text");
        FetchProgram program = ProbeDefinition.Parse("p fn %ax +0(%di):string $comm +0(%di):u8[4]").CompileArguments();
        FetchBuffer buffer = program.CreateBuffer();
        Execute(program, buffer);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            Execute(program, buffer);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private string Fetch(string line)
    {
        FetchProgram program = ProbeDefinition.Parse(line, new FakeProbeTarget()).CompileArguments();
        FetchBuffer buffer = program.CreateBuffer();
        Execute(program, buffer);
        return buffer.Format(_environment);
    }

    private void Execute(FetchProgram program, FetchBuffer buffer)
    {
        PtRegs registers = _registers;
        // SAFETY: a local of this frame, alive through the call.
        program.Execute(&registers, _environment, buffer);
    }
}
