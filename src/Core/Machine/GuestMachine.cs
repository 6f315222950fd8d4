using KprobeTrace.Cpu;
using KprobeTrace.Cpu.Binding;
using KprobeTrace.Devices;
using KprobeTrace.Memory;

namespace KprobeTrace.Machine;

/// <summary>One processor, its RAM and its devices, wired together; made by <see cref="MachineBuilder"/>.</summary>
internal sealed partial class GuestMachine : IDisposable
{
    private readonly MachineBus _bus;

    internal GuestMachine(PhysicalMemory memory, MachineBus bus)
    {
        Memory = memory;
        _bus = bus;
        Processor = Interpreter.Create(memory, bus);
        bus.Attach(this);
    }

    /// <summary>The processor.</summary>
    public Processor Processor { get; }

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

    /// <summary>Virtual time in nanoseconds.</summary>
    public long Now => Processor.Now;

    /// <summary>Instructions retired so far.</summary>
    public long Retired => Processor.Retired;

    /// <summary>The serial port, for input.</summary>
    public Uart16550 Serial => _bus.Serial;

    /// <summary>Runs until the guest ends, a stop is requested, or <paramref name="limit"/> instructions have retired in all.</summary>
    /// <exception cref="InvalidOperationException">It runs already: this was called from a handler, or from another thread. Or it holds half of a state.</exception>
    /// <exception cref="KprobeTraceException">The guest asked for what is not built.</exception>
    public PowerState Run(long limit = long.MaxValue)
    {
        Processor.ThrowIfRunning();
        ThrowIfHalfLoaded();
        if (Power != PowerState.Running)
        {
            return Power;
        }

        Processor.Run(limit);
        if (Power != PowerState.Running)
        {
            Processor.StopRequested = false;
        }
        else if (Processor.ShutDown)
        {
            Power = PowerState.TripleFault;
        }
        else if (Processor.HaltedForGood)
        {
            Power = PowerState.Halted;
        }
        else if (Processor.IsStuck)
        {
            Power = PowerState.Stuck;
        }
        else
        {
            return PowerState.Stopped;
        }

        return Power;
    }

    /// <summary>Makes <see cref="Run"/> return before the next instruction; may be called from any thread.</summary>
    public void Stop() => Processor.StopRequested = true;

    /// <summary>Returns the guest's memory to the host.</summary>
    /// <exception cref="InvalidOperationException">The guest runs.</exception>
    public void Dispose()
    {
        Processor.Dispose();
        Memory.Dispose();
    }

    internal void End(PowerState state)
    {
        Power = state;
        Processor.StopRequested = true;
        _bus.RequestExit();
    }
}
