using KprobeTrace.Kprobes;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>The synthetic guest's memory through its kernel's page tables, and a task that tests set.</summary>
internal sealed unsafe class SyntheticContext : IProbedGuest
{
    private readonly SyntheticGuest _guest;

    public SyntheticContext(SyntheticGuest guest)
    {
        _guest = guest;
    }

    public ulong CurrentTask { get; set; } = 0x1000;

    public ulong RetiredInstructions => (ulong)_guest.Processor.Retired;

    public int CpuCount => 1;

    public bool TryReadKernel(ulong address, Span<byte> destination)
    {
        for (int i = 0; i < destination.Length; i++)
        {
            ulong at = address + (ulong)i;
            if ((long)at >= 0 || !_guest.Processor.TryPeek(at, SyntheticGuest.KernelTables, out ulong physical)
                || !_guest.Memory.TryRead(physical, destination.Slice(i, 1)))
            {
                return false;
            }
        }

        return true;
    }
}
