using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>What the host's kernel, and a hypervisor below it, decide of what a program sees; asked once.</summary>
/// <param name="HasFsGsBase">Whether programs can execute RDFSBASE and its like; under a hypervisor also where the kernel knows nothing of it.</param>
/// <param name="HasCompatibilityCode">Whether the GDT has a segment of 32-bit code, which a kernel without 32-bit programs leaves out.</param>
/// <param name="KeptInterrupts">
/// The vectors of INT that are not refused as the kernel's own gates are (Intel SDM vol. 3A §6.12.1.2): a hypervisor that runs kernels at the
/// privilege of programs answers some itself.
/// </param>
internal sealed record HostKernel(bool HasFsGsBase, bool HasCompatibilityCode, IReadOnlySet<int> KeptInterrupts)
{
    private const ulong ZeroFlag = 0x40;

    /// <summary>Breakpoint and overflow, which Linux leaves to programs, and the system call of 32-bit programs, which no case makes.</summary>
    private static readonly int[] _gatesOfPrograms = [3, 4, 0x80];

    private static readonly Lazy<HostKernel> _current = new(Ask);

    /// <summary>That of this host.</summary>
    public static HostKernel Current => _current.Value;

    /// <summary>Whether the processor's answer to this case never reaches a program of this host.</summary>
    public bool Keeps(TestCase one) => one.Form == Code.Int_imm8 && KeptInterrupts.Contains(one.Bytes[^1]);

    private static HostKernel Ask()
    {
        using OracleProcess oracle = new();
        Outcome[] outcomes = oracle.Run(
        [
            HandMadeCase.Create([0xf3, 0x0f, 0xae, 0xc0], static _ => { }), // rdfsbase eax
            HandMadeCase.Create([0x0f, 0x02, 0xc0], state => state.Gpr[GprIndex.Rax] = OracleLayout.CompatibilityCode), // lar eax,ax
        ]);
        return new HostKernel(
            outcomes[0].Kind == OutcomeKind.Completed,
            (outcomes[1].State.Rflags & ZeroFlag) != 0,
            Enumerable.Range(0, 256).Except(_gatesOfPrograms).Where(vector => !IsRefused(oracle, vector)).ToHashSet());
    }

    private static bool IsRefused(OracleProcess oracle, int vector)
    {
        TestCase one = HandMadeCase.Create([0xcd, (byte)vector], static _ => { });
        var refusal = new Fault(13, (ulong)(vector * 8) + 2, 0);
        return oracle.Run([.. Enumerable.Repeat(one, LastingDifference.Attempts)])
            .Any(outcome => outcome.Kind == OutcomeKind.Fault && outcome.Fault == refusal && outcome.State.Rip == one.Address);
    }
}
