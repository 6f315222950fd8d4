namespace KprobeTrace.Cpu;

/// <summary>Marks a processor and its memory as in use for as long as the guest runs.</summary>
internal readonly ref struct RunGuard(Processor processor)
{
    /// <summary>The run is over.</summary>
    public void Dispose() => processor.IsRunning = false;
}
