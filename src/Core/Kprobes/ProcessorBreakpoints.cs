using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Kprobes;

/// <summary>Takes the processors' breakpoints to the int3 handler: state to frame, frame to state.</summary>
internal sealed unsafe class ProcessorBreakpoints : IBreakpointHandler
{
    private const int GeneralRegisters = 16;
    private readonly Int3Handler _handler;

    /// <summary>For each processor, what the address of the instruction being stepped is above RIP: 0 but where the kernel runs identity-mapped.</summary>
    private readonly ulong[] _shifts;

    /// <summary>Connects processors with the handler of their kprobes.</summary>
    public ProcessorBreakpoints(ProcessorGroup processors, Int3Handler handler)
    {
        ArgumentNullException.ThrowIfNull(processors);
        ArgumentNullException.ThrowIfNull(handler);
        _handler = handler;
        _shifts = new ulong[processors.Count];
        processors.BreakpointHandler = this;
    }

    /// <inheritdoc/>
    public BreakpointAction OnBreakpoint(Processor cpu, int handle)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        CpuState* state = cpu.State;
        PtRegs frame;
        Load(state, &frame);

        // While the kernel runs identity-mapped, RIP is not the address the probe was put on; handlers see the latter.
        ulong shift = _handler.AddressOf(handle) - state->Rip;
        _shifts[cpu.Index] = shift;
        ulong flags = frame.Flags;
        frame.Ip = state->Rip + shift + 1;
        BreakpointAction action = _handler.OnBreakpoint(cpu.Index, handle, &frame);
        StoreRegisters(cpu, &frame, flags);
        if (action == BreakpointAction.Resume)
        {
            state->Rip = frame.Ip - shift;
        }

        return action;
    }

    /// <inheritdoc/>
    public void OnStepped(Processor cpu, int handle)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        PtRegs frame;
        Load(cpu.State, &frame);

        // The instruction may have left the identity mapping: into the kernel's own, or into a handler of the guest's.
        ulong stepped = _shifts[cpu.Index];
        ulong shift = stepped != 0 && _handler.IsInImage(frame.Ip + stepped) ? stepped : 0;
        ulong flags = frame.Flags;
        frame.Ip += shift;
        _handler.OnStepped(cpu.Index, handle, &frame);
        StoreRegisters(cpu, &frame, flags);
        cpu.State->Rip = frame.Ip - shift;
    }

    /// <inheritdoc/>
    public bool OnStepFault(Processor cpu, int handle, byte vector, uint errorCode, ulong faultAddress)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        PtRegs frame;
        Load(cpu.State, &frame);
        ulong shift = _handler.AddressOf(handle) - frame.Ip;
        ulong flags = frame.Flags;
        frame.Ip += shift;
        bool handled = _handler.OnStepFault(cpu.Index, handle, &frame, vector, errorCode, faultAddress);
        if (handled)
        {
            StoreRegisters(cpu, &frame, flags);
            cpu.State->Rip = frame.Ip - shift;
        }

        return handled;
    }

    private static void Load(CpuState* state, PtRegs* frame)
    {
        // SAFETY: both begin with the sixteen general registers in encoding order.
        Buffer.MemoryCopy(state->R, frame, sizeof(PtRegs), GeneralRegisters * sizeof(ulong));
        frame->Ip = state->Rip;
        frame->Flags = LazyFlags.Get(state);
        frame->Cs = state->Segments.Cs.Selector;
        frame->Ss = state->Segments.Ss.Selector;
        frame->OrigAx = ulong.MaxValue;
    }

    private static void StoreRegisters(Processor cpu, PtRegs* frame, ulong flagsBefore)
    {
        // SAFETY: as in Load; the seventeenth register, always zero, is not touched.
        Buffer.MemoryCopy(frame, cpu.State->R, GeneralRegisters * sizeof(ulong), GeneralRegisters * sizeof(ulong));
        if (frame->Flags != flagsBefore)
        {
            LazyFlags.Set(cpu.State, frame->Flags);
            cpu.UpdateMode();
            cpu.State->ExitRequest = 1;
        }
    }
}
