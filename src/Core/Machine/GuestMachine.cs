using KprobeTrace.Cpu;
using KprobeTrace.Cpu.Binding;
using KprobeTrace.Devices;
using KprobeTrace.Memory;

namespace KprobeTrace.Machine;

/// <summary>Processors, their RAM and their devices, wired together; made by <see cref="MachineBuilder"/>.</summary>
internal sealed partial class GuestMachine : IDisposable
{
    private readonly MachineBus _bus;

    internal GuestMachine(PhysicalMemory memory, MachineBus bus)
    {
        Memory = memory;
        _bus = bus;
        Processors = Interpreter.Create(memory, [.. bus.Processors]);
        bus.Attach(this);
    }

    /// <summary>The processors. Only the first of them runs: nothing starts another yet.</summary>
    public ProcessorGroup Processors { get; }

    /// <summary>Guest RAM.</summary>
    public PhysicalMemory Memory { get; }

    /// <summary>Whether and how the guest ended.</summary>
    public PowerState Power
    {
        get => _state.Power;
        private set => _state.Power = value;
    }

    /// <summary>What the guest wrote to the exit port, when <see cref="Power"/> is <see cref="PowerState.Exited"/>.</summary>
    public uint ExitValue
    {
        get => _state.ExitValue;
        internal set => _state.ExitValue = value;
    }

    /// <summary>Virtual time in nanoseconds, as the processor has it whose turn it is.</summary>
    public long Now => Processors.Running.Now;

    /// <summary>Instructions retired so far, by all processors.</summary>
    public long Retired => Processors.Retired;

    /// <summary>The serial port, for input.</summary>
    public Uart16550 Serial => _bus.Serial;

    /// <summary>Runs until the guest ends, a stop is requested, or <paramref name="limit"/> instructions have retired in all.</summary>
    /// <exception cref="InvalidOperationException">It runs already: this was called from a handler, or from another thread. Or it holds half of a state.</exception>
    /// <exception cref="KprobeTraceException">The guest asked for what is not built.</exception>
    public PowerState Run(long limit = long.MaxValue)
    {
        Processors.ThrowIfRunning();
        ThrowIfHalfLoaded();
        if (Power != PowerState.Running)
        {
            return Power;
        }

        Processor processor = Processors.Bootstrap;
        processor.Run(limit - (Retired - processor.Retired));
        if (Power != PowerState.Running)
        {
            Processors.RequestStop(false);
        }
        else if (processor.ShutDown)
        {
            Power = PowerState.TripleFault;
        }
        else if (processor.HaltedForGood)
        {
            Power = PowerState.Halted;
        }
        else if (processor.IsStuck)
        {
            Power = PowerState.Stuck;
        }
        else
        {
            // A request is for the run that it ends; one that comes from here on, from another thread, is for the next.
            Processors.RequestStop(false);
            return PowerState.Stopped;
        }

        return Power;
    }

    /// <summary>Makes <see cref="Run"/> return before the next instruction; may be called from any thread.</summary>
    public void Stop() => Processors.RequestStop(true);

    /// <summary>Returns the guest's memory to the host.</summary>
    /// <exception cref="InvalidOperationException">The guest runs.</exception>
    public void Dispose()
    {
        Processors.Dispose();
        Memory.Dispose();
    }

    internal void End(PowerState state)
    {
        Power = state;
        Processors.RequestStop(true);
        Processors.RequestExit();
    }
}
