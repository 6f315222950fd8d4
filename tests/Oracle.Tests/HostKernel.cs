namespace KprobeTrace.Tests.Oracle;

/// <summary>What the host's kernel, and a hypervisor below it, decide of what a program sees; asked once.</summary>
/// <param name="HasFsGsBase">Whether programs may execute RDFSBASE and its like.</param>
/// <param name="HasCompatibilityCode">Whether the GDT has a segment of 32-bit code, which a kernel without 32-bit programs leaves out.</param>
/// <param name="RefusesInterrupts">
/// Whether INT of a gate that is the kernel's alone is refused with the gate's number (Intel SDM vol. 3A §6.12.1.2); a hypervisor that runs
/// kernels at the privilege of programs keeps such vectors for itself.
/// </param>
internal sealed record HostKernel(bool HasFsGsBase, bool HasCompatibilityCode, bool RefusesInterrupts)
{
    private const ulong ZeroFlag = 0x40;

    private static readonly Lazy<HostKernel> _current = new(Ask);

    /// <summary>That of this host.</summary>
    public static HostKernel Current => _current.Value;

    private static HostKernel Ask()
    {
        using OracleProcess oracle = new();
        Outcome[] outcomes = oracle.Run(
        [
            HandMadeCase.Create([0x0f, 0x02, 0xc0], state => state.Gpr[GprIndex.Rax] = OracleLayout.CompatibilityCode), // lar eax,ax
            HandMadeCase.Create([0xcd, 0x1a], static _ => { }), // int 1Ah
        ]);
        return new HostKernel(
            oracle.HasFsGsBase,
            (outcomes[0].State.Rflags & ZeroFlag) != 0,
            outcomes[1] is { Kind: OutcomeKind.Fault, Fault: { Vector: 13, Error: (0x1a * 8) + 2 } });
    }
}
