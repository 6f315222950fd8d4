using KprobeTrace.Cpu;

namespace KprobeTrace.Tests.Cpu;

/// <summary>An overlay on chosen addresses that notes all that happens under it.</summary>
internal sealed unsafe class BreakpointRecorder : IFetchOverlay, IBreakpointHandler
{
    public HashSet<ulong> Addresses { get; } = [];

    public BreakpointAction Action { get; set; }

    public Action<Processor>? Before { get; set; }

    public Action<Processor>? After { get; set; }

    public Func<Processor, bool>? Fault { get; set; }

    public List<(ulong Address, long Retired)> Hits { get; } = [];

    public List<ulong> Stepped { get; } = [];

    public List<(int Vector, uint ErrorCode, ulong Address, ulong Ip)> Faults { get; } = [];

    public bool MayContain(ulong physicalPage, ulong linearPage) => Addresses.Any(a => (a ^ linearPage) >> 12 == 0);

    public int Find(ulong physical, ulong linear) => Addresses.Contains(linear) ? 7 : -1;

    public BreakpointAction OnBreakpoint(Processor cpu, int handle)
    {
        Hits.Add((cpu.State->Rip, cpu.Retired));
        Before?.Invoke(cpu);
        return Action;
    }

    public void OnStepped(Processor cpu, int handle)
    {
        Stepped.Add(cpu.State->Rip);
        After?.Invoke(cpu);
    }

    public bool OnStepFault(Processor cpu, int handle, byte vector, uint errorCode, ulong faultAddress)
    {
        Faults.Add((vector, errorCode, faultAddress, cpu.State->Rip));
        return Fault?.Invoke(cpu) ?? false;
    }
}
