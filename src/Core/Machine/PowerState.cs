namespace KprobeTrace.Machine;

/// <summary>How a guest's run ended, or that it has not.</summary>
public enum PowerState
{
    /// <summary>The guest can go on.</summary>
    Running,

    /// <summary>The guest switched the machine off.</summary>
    PoweredOff,

    /// <summary>The guest asked for a reset.</summary>
    Reset,

    /// <summary>The guest wrote the exit port.</summary>
    Exited,

    /// <summary>The processor waits with nothing that could wake it.</summary>
    Halted,

    /// <summary>The processor met a fault it could not deliver.</summary>
    TripleFault,

    /// <summary>The processor is busy and will retire nothing ever again; see <see cref="Cpu.Processor.IsStuck"/>.</summary>
    Stuck,

    /// <summary>The host ended the run: a limit or a stop request.</summary>
    Stopped,
}
