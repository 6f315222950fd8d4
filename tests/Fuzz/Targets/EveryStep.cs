using KprobeTrace.Cpu;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Breakpoints on pseudo-random places, whose handler changes nothing.</summary>
internal sealed class EveryStep(ulong seed, ulong modulus) : IFetchOverlay, IBreakpointHandler
{
    public long Hits { get; private set; }

    public bool MayContain(ulong physicalPage, ulong linearPage) => true;

    public int Find(ulong physical, ulong linear) =>
        (((linear ^ seed) * 0x9E3779B97F4A7C15) >> 40) % modulus == 0 ? (int)(linear & 0xFFFF) : -1;

    public BreakpointAction OnBreakpoint(Processor cpu, int handle)
    {
        Hits++;
        return (handle & 1) == 0 ? BreakpointAction.Step : BreakpointAction.StepThenNotify;
    }

    public void OnStepped(Processor cpu, int handle)
    {
    }

    public bool OnStepFault(Processor cpu, int handle, byte vector, uint errorCode, ulong faultAddress) => false;
}
