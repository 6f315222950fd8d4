namespace KprobeTrace.Tests.Oracle;

/// <summary>What of segments the host's kernel decides, and the interpreter has to be told.</summary>
/// <param name="HasFsGsBase">Whether programs may execute RDFSBASE and its like.</param>
/// <param name="HasCompatibilityCode">Whether the GDT has a segment of 32-bit code, which a kernel without 32-bit programs leaves out.</param>
internal sealed record HostSegments(bool HasFsGsBase, bool HasCompatibilityCode)
{
    private const ulong ZeroFlag = 0x40;

    private static readonly Lazy<HostSegments> _current = new(Ask);

    /// <summary>Those of this host.</summary>
    public static HostSegments Current => _current.Value;

    private static HostSegments Ask()
    {
        using OracleProcess oracle = new();
        Outcome outcome = oracle.Run([HandMadeCase.Create([0x0f, 0x02, 0xc0], state => state.Gpr[GprIndex.Rax] = OracleLayout.CompatibilityCode)])[0]; // lar eax,ax
        return new HostSegments(oracle.HasFsGsBase, (outcome.State.Rflags & ZeroFlag) != 0);
    }
}
