namespace KprobeTrace.Tests.Oracle;

public sealed class LastingDifferenceTests
{
    private const ulong CarryFlag = 1;

    [HostTheory]
    [InlineData(1)]
    [InlineData(LastingDifference.Attempts - 1)]
    public void What_the_processor_does_not_repeat_is_none(int spurious)
    {
        (TestCase one, Outcome outcome) = Addition();
        int asked = 1;

        List<string> differences = LastingDifference.Find(one, Undefined(outcome), outcome, _ => asked++ < spurious ? Undefined(outcome) : outcome);

        Assert.Empty(differences);
        Assert.Equal(spurious + 1, asked);
    }

    [HostFact]
    public void What_the_processor_repeats_is_one()
    {
        (TestCase one, Outcome outcome) = Addition();
        int asked = 1;

        List<string> differences = LastingDifference.Find(one, Undefined(outcome), outcome, _ =>
        {
            asked++;
            return Undefined(outcome);
        });

        Assert.Equal(["ended: processor vector 6(0), interpreter completed at 10000803"], differences);
        Assert.Equal(LastingDifference.Attempts, asked);
    }

    [HostFact]
    public void The_processor_is_asked_once_where_both_agree()
    {
        (TestCase one, Outcome outcome) = Addition();

        Assert.Empty(LastingDifference.Find(one, outcome, outcome, _ => throw new InvalidOperationException("asked again")));
    }

    [HostFact]
    public void A_fault_of_the_interpreter_differs_from_the_processor_every_time()
    {
        using var processor = new OracleProcess();
        using var interpreter = new EmulatedProcessor();
        TestCase one = AddOne();
        Outcome actual = interpreter.Run(one);
        Assert.Empty(LastingDifference.Find(one, processor.Run([one])[0], actual, _ => processor.Run([one])[0]));

        actual.State.Rflags ^= CarryFlag;

        Assert.Equal(
            ["RFLAGS (CF): processor 55, interpreter 54"],
            LastingDifference.Find(one, processor.Run([one])[0], actual, _ => processor.Run([one])[0]));
    }

    /// <summary>0FF…FFh + 1: zero, with carry.</summary>
    private static TestCase AddOne() => HandMadeCase.Create([0x48, 0x01, 0xd8], state =>
    {
        state.Gpr[GprIndex.Rax] = ulong.MaxValue;
        state.Gpr[GprIndex.Rbx] = 1;
    });

    private static (TestCase Case, Outcome Outcome) Addition()
    {
        using var interpreter = new EmulatedProcessor();
        TestCase one = AddOne();
        return (one, interpreter.Run(one));
    }

    private static Outcome Undefined(Outcome outcome) => new() { Kind = OutcomeKind.Fault, State = outcome.State, Fault = new Fault(6, 0, 0) };
}
