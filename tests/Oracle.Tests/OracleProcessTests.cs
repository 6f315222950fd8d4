
namespace KprobeTrace.Tests.Oracle;

/// <summary>Holds the oracle itself against answers known from the manuals.</summary>
public sealed class OracleProcessTests
{
    private const uint Offset = HandMadeCase.Offset;

    [HostFact]
    public void Adds_registers_and_sets_the_flags()
    {
        Outcome outcome = Run([0x48, 0x01, 0xd8], state =>
        {
            state.Gpr[GprIndex.Rax] = ulong.MaxValue;
            state.Gpr[GprIndex.Rbx] = 1;
        });

        Assert.Equal(OutcomeKind.Completed, outcome.Kind);
        Assert.Equal(0ul, outcome.State.Gpr[GprIndex.Rax]);
        Assert.Equal(1ul, outcome.State.Gpr[GprIndex.Rbx]);
        Assert.Equal(0x55ul, outcome.State.Rflags & 0x8d5);
        Assert.Equal(OracleLayout.CodeBase + Offset + 3, outcome.State.Rip);
    }

    [HostFact]
    public void Keeps_every_register_of_a_case_that_does_nothing()
    {
        TestCase one = Case([0x90], state =>
        {
            var random = new SeededRandom(3);
            for (int i = 0; i < 16; i++)
            {
                state.Gpr[i] = random.Next();
            }

            FxImages.Fill(random, state.Fx, FxImages.Elements.Mixed, x87: true);
            state.Rflags = 0x202 | 0xcd5;
        });

        Outcome outcome = Run(one);

        Assert.Equal(one.Initial.Gpr, outcome.State.Gpr);
        Assert.Equal(one.Initial.Fx[FxImages.XmmOffset..416], outcome.State.Fx[FxImages.XmmOffset..416]);
        Assert.Equal(one.Initial.Fx[FxImages.RegistersOffset..(FxImages.RegistersOffset + 10)],
            outcome.State.Fx[FxImages.RegistersOffset..(FxImages.RegistersOffset + 10)]);
        Assert.Equal(0xcd5ul, outcome.State.Rflags & 0xcd5);
        Assert.Empty(outcome.Memory);
    }

    [HostFact]
    public void Reports_a_division_by_zero_at_the_instruction_with_unchanged_registers()
    {
        Outcome outcome = Run([0x48, 0xf7, 0xf1], state =>
        {
            state.Gpr[GprIndex.Rax] = 5;
            state.Gpr[GprIndex.Rdx] = 7;
        });

        Assert.Equal(OutcomeKind.Fault, outcome.Kind);
        Assert.Equal(new Fault(0, 0, 0), outcome.Fault);
        Assert.Equal(OracleLayout.CodeBase + Offset, outcome.State.Rip);
        Assert.Equal(5ul, outcome.State.Gpr[GprIndex.Rax]);
        Assert.Equal(7ul, outcome.State.Gpr[GprIndex.Rdx]);
    }

    [HostFact]
    public void Reports_an_undefined_instruction() =>
        Assert.Equal(new Fault(6, 0, 0), Run([0x0f, 0x0b], _ => { }).Fault);

    [HostTheory]
    [InlineData(OracleLayout.ReadOnlyBase + 8, 7ul)]
    [InlineData(OracleLayout.DataBase + OracleLayout.DataSize, 6ul)]
    [InlineData(0ul, 6ul)]
    public void Reports_page_faults_of_a_store_with_error_code_and_address(ulong address, ulong error)
    {
        Outcome outcome = Run([0x48, 0x89, 0x18], state => state.Gpr[GprIndex.Rax] = address);

        Assert.Equal(OutcomeKind.Fault, outcome.Kind);
        Assert.Equal(new Fault(14, error, address), outcome.Fault);
    }

    [HostFact]
    public void Reports_a_protection_fault_of_a_non_canonical_address()
    {
        Outcome outcome = Run([0x48, 0x8b, 0x18], state => state.Gpr[GprIndex.Rax] = 0x1234_5678_9abc_def0);

        Assert.Equal(new Fault(13, 0, 0), outcome.Fault);
    }

    [HostFact]
    public void Follows_a_branch_to_the_place_it_goes_to()
    {
        Outcome outcome = Run([0xeb, 0x20], _ => { });

        Assert.Equal(OutcomeKind.Completed, outcome.Kind);
        Assert.Equal(OracleLayout.CodeBase + Offset + 0x22, outcome.State.Rip);
    }

    [HostFact]
    public void Reports_what_a_store_changed_and_restores_it_for_the_next_case()
    {
        TestCase store = Case([0x48, 0x89, 0x18], state =>
        {
            state.Gpr[GprIndex.Rax] = OracleLayout.StackBase + 16;
            state.Gpr[GprIndex.Rbx] = 0x1122_3344_5566_7788;
        });
        TestCase nothing = Case([0x90], _ => { });
        using var oracle = new OracleProcess();

        Outcome[] outcomes = oracle.Run([store, nothing]);

        MemoryWord word = Assert.Single(outcomes[0].Memory);
        Assert.Equal(new MemoryWord((uint)OracleLayout.DataSize + 16, 0x1122_3344_5566_7788), word);
        Assert.Empty(outcomes[1].Memory);
    }

    [HostTheory]
    [InlineData(0xe0, OracleLayout.UserData)] // mov fs,eax
    [InlineData(0xe0, 0)]
    [InlineData(0xe8, OracleLayout.UserData)] // mov gs,eax
    [InlineData(0xe8, 0)]
    public void Restores_the_segments_that_a_case_loaded_for_the_next_one(byte form, ushort selector)
    {
        TestCase load = Case([0x8e, form], state => state.Gpr[GprIndex.Rax] = selector);
        using var oracle = new OracleProcess();

        Outcome[] outcomes = oracle.Run([load, Case([0x90], _ => { })]);

        Assert.Equal(selector, outcomes[0].State.Segments[form == 0xe0 ? 4 : 5]);
        Assert.Equal((0, 0), (outcomes[1].State.Segments[4], outcomes[1].State.Segments[5]));
        Assert.Equal((OracleLayout.FsBase, OracleLayout.GsBase), (outcomes[1].State.FsBase, outcomes[1].State.GsBase));
    }

    [HostFact]
    public void Survives_a_case_that_never_ends()
    {
        // jmp $: the generator never makes it.
        TestCase endless = Case([0xeb, 0xfe], _ => { });
        TestCase after = Case([0x90], _ => { });
        using var oracle = new OracleProcess();

        Outcome[] outcomes = oracle.Run([endless, after]);

        Assert.Equal(OutcomeKind.Hung, outcomes[0].Kind);
        Assert.Equal(OutcomeKind.Completed, outcomes[1].Kind);
    }

    [HostFact]
    public void Survives_a_case_that_kills_the_process()
    {
        // A system call is not allowed to the confined process.
        TestCase deadly = Case([0x0f, 0x05], state => state.Gpr[GprIndex.Rax] = 39);
        TestCase after = Case([0x90], _ => { });
        using var oracle = new OracleProcess();

        Outcome[] outcomes = oracle.Run([after, deadly, after]);

        Assert.Equal([OutcomeKind.Completed, OutcomeKind.Crashed, OutcomeKind.Completed], outcomes.Select(outcome => outcome.Kind));
        Assert.Equal(1, oracle.Restarts);
    }

    private static TestCase Case(byte[] bytes, Action<ProcessorState> set) => HandMadeCase.Create(bytes, set);

    private static Outcome Run(byte[] bytes, Action<ProcessorState> set) => Run(Case(bytes, set));

    private static Outcome Run(TestCase one)
    {
        using var oracle = new OracleProcess();
        return oracle.Run([one])[0];
    }
}
