using KprobeTrace.Cpu.State;
using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>CHECKLIST rows I: a probed instruction does what it does unprobed, stepped with a post-handler and without.</summary>
public sealed unsafe class InstructionRowTests : KprobeRows
{
    /// <summary>Row, function, offset of the probed instruction, argument.</summary>
    public static TheoryData<string, string, int, ulong> Instructions() => new()
    {
        { "I01", "rip", 0, 0 },
        { "I03", "jcc", 2, 0 },
        { "I03", "jcc", 2, 1 },
        { "I04", "loopf", 6, 3 },
        { "I05", "callrel", 0, 1 },
        { "I07", "callind", 7, 1 },
        { "I08", "jmpind", 0, 1 },
        { "I16", "retimm", 2, 5 },
        { "I17", "long11", 0, 0 },
        { "I18", "misc", 3, 6 },
        { "I18", "misc", 8, 6 },
        { "I19", "prefixed", 0, 1 },
        { "I19", "prefixed", 4, 1 },
        { "A27", "movss", 3, 4 },
        { "A32", "riplea", 0, 0 },
        { "B16", "frame", 10, 1 },
        { "I16", "stcf", 2, 0 },
    };

    [Theory]
    [MemberData(nameof(Instructions))]
    public void I01_to_I19_probed_result_equals_the_unprobed_one(string row, string name, int offset, ulong argument)
    {
        string called = name == "retimm" ? "callretimm" : name;
        ulong expected = Guest.Call(called, argument);
        long instructions = Measure(called, argument);
        Kprobe stepped = Register(Logged("p", name, (uint)offset));

        Assert.Equal(expected, Guest.Call(called, argument));
        Assert.Equal(instructions, Measure(called, argument));
        Assert.Equal(0, Log.Count % 2);
        Assert.NotEmpty(Log);

        Kprobes.UnregisterKprobe(stepped);
        Register(Logged("q", name, (uint)offset, post: false));
        Assert.Equal(expected, Guest.Call(called, argument));
        Assert.Equal(instructions, Measure(called, argument));
        Assert.NotEmpty(row);
    }

    [Fact]
    public void I01_relative_operand_reads_the_same_word()
    {
        Register(Logged("p", "rip"));
        Assert.Equal(0x1234UL, Guest.Call("rip"));
    }

    [Theory]
    [InlineData(0, 7, 7)]
    [InlineData(1, 0, 4)]
    public void I03_post_of_a_branch_sees_where_it_goes(ulong argument, ulong result, ulong target)
    {
        List<ulong> ips = PostIps("jcc", 2);

        Assert.Equal(result, Guest.Call("jcc", argument));

        Assert.Equal([Guest["jcc"] + target], ips);
    }

    [Fact]
    public void I04_loop_is_probed_once_an_iteration()
    {
        List<ulong> ips = PostIps("loopf", 6);

        Assert.Equal(3UL, Guest.Call("loopf", 3));

        Assert.Equal([Guest["loopf"] + 4, Guest["loopf"] + 4, Guest["loopf"] + 8], ips);
    }

    [Fact]
    public void I07_call_pushes_the_address_behind_itself()
    {
        ulong pushed = 0;
        Kprobe probe = On("callind", 7);
        probe.PostHandler = (_, ref registers, _) => pushed = Guest.ReadWord(registers.Sp);
        Register(probe);

        Assert.Equal(4UL, Guest.Call("callind", 1));

        Assert.Equal(Guest["callind"] + 9, pushed);
    }

    [Fact]
    public void I10_pushf_pushes_the_guests_own_flags()
    {
        Register(Logged("p", "pushf"));
        Guest.SetFlags(0);

        Assert.Equal(0UL, Guest.Call("pushf") & (Rflags.TF | Rflags.IF));
    }

    [Fact]
    public void I11_cli_clears_the_interrupt_flag()
    {
        ulong flags = Rflags.IF;
        Register(Logged("p", "clisti"));
        Register(Observing("clisti", 1, f => flags = f));
        Guest.SetFlags(Rflags.IF);

        Guest.Call("clisti");

        Assert.Equal(0UL, flags & Rflags.IF);
    }

    [Fact]
    public void I12_sti_sets_the_interrupt_flag()
    {
        ulong flags = 0;
        Register(Logged("p", "clisti", 2));
        Register(Observing("clisti", 3, f => flags = f));
        Guest.SetFlags(0);

        Guest.Call("clisti");

        Assert.NotEqual(0UL, flags & Rflags.IF);
    }

    [Fact]
    public void I12_shadow_of_a_probed_sti_still_holds_for_one_instruction()
    {
        Register(Logged("p", "clisti", 2));
        Guest.SetFlags(0);
        Guest.RaiseInterrupt();

        Guest.Call("clisti");

        Assert.Equal(1UL, Guest.Counter(0x20));
        Assert.Equal(Guest["clisti"] + 4, Guest.LastIp(0x20));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void I14_I15_rep_is_one_instruction_with_one_pre_and_one_post(bool post)
    {
        Register(Logged("p", "repst", 4, post));

        Guest.Call("repst", SyntheticGuest.DataBase + 0x2000, 4);

        Assert.Equal([0x5A, 0x5A, 0x5A, 0x5A, 0], Guest.ReadBytes(SyntheticGuest.DataBase + 0x2000, 5));
        Assert.Equal(post ? ["p.pre", "p.post"] : ["p.pre"], Log);
    }

    [Fact]
    public void I14_rep_that_faults_half_way_is_a_new_hit_when_it_restarts()
    {
        Guest.WriteWord(SyntheticGuest.PageFaultMode, 1);
        Register(Logged("p", "repst", 4));

        Guest.Call("repst", SyntheticGuest.UserBase + 0x1FFC, 8);

        Assert.Equal(["p.pre", "p.pre", "p.post"], Log);
        Assert.Equal(1UL, Guest.Counter(14));
    }

    [Fact]
    public void I16_ret_with_an_immediate_adjusts_the_stack()
    {
        ulong stack = 0;
        Kprobe probe = On("retimm", 2);
        probe.PostHandler = (_, ref registers, _) => stack = registers.Sp;
        Register(probe);

        Assert.Equal(5UL, Guest.Call("callretimm", 5));

        Assert.Equal(SyntheticGuest.StackTop - 72, stack);
    }

    [Fact]
    public void I20_someone_else_who_steps_still_gets_his_traps()
    {
        List<ulong> flags = [];
        Kprobe probe = On("leaf");
        probe.PostHandler = (_, ref registers, _) => flags.Add(registers.Flags);
        Register(probe);
        Guest.Prepare(1);
        Guest.State->R[11] = Guest["leaf"];
        Guest.State->Rip = Guest["callr11"];
        Guest.SetFlags(Rflags.TF);

        Guest.Processor.SingleStep();
        Guest.Run();

        // The first trap comes behind the call; its handler ends the stepping.
        Assert.Equal(1UL, Guest.Counter(1));
        Assert.Equal(Guest["leaf"], Guest.LastIp(1));
        Assert.Single(flags);

        Guest.Prepare(1);
        Guest.WriteWord(Guest.State->R[4] - 8, Guest["callr11"] + 3);
        Guest.State->R[4] -= 8;
        Guest.State->Rip = Guest["leaf"];
        Guest.SetFlags(Rflags.TF);
        Guest.Run();

        Assert.Equal(2UL, Guest.Counter(1));
        Assert.Equal(Guest["leaf"] + 3, Guest.LastIp(1));
        Assert.NotEqual(0UL, flags[1] & Rflags.TF);
    }

    [Fact]
    public void Probed_hlt_runs_post_before_it_waits()
    {
        long posted = 0;
        Kprobe probe = On("halt");
        probe.PostHandler = (_, ref _, _) => posted = Guest.Processor.Now;
        Register(probe);
        Guest.SetFlags(Rflags.IF);
        Guest.RaiseInterruptIn(1_000_000);
        long before = Guest.Processor.Now;

        Assert.Equal(6UL, Guest.Call("halt", 6));

        Assert.InRange(posted, before, before + 100);
        Assert.InRange(Guest.Processor.Now, before + 1_000_000, long.MaxValue);
    }

    [Fact]
    public void Popf_and_iret_keep_their_own_effect_on_flags()
    {
        Register(Logged("p", "popf", 1));

        Assert.NotEqual(0UL, Guest.Call("popf", Rflags.IF | Rflags.Fixed) & Rflags.IF);
    }

    private long Measure(string name, ulong argument)
    {
        long before = Guest.Processor.Retired;
        Guest.Call(name, argument);
        return Guest.Processor.Retired - before;
    }

    private List<ulong> PostIps(string name, uint offset)
    {
        List<ulong> ips = [];
        Kprobe probe = On(name, offset);
        probe.PostHandler = (_, ref registers, _) => ips.Add(registers.Ip);
        Register(probe);
        return ips;
    }

    private static Kprobe Observing(string name, uint offset, Action<ulong> flags)
    {
        Kprobe probe = On(name, offset);
        probe.PreHandler = (_, ref registers) =>
        {
            flags(registers.Flags);
            return 0;
        };
        return probe;
    }
}
