namespace KprobeTrace.Devices.Saving;

/// <summary>What goes on from a state that was saved as if it had never stopped.</summary>
/// <remarks>
/// A part keeps all that changes in one struct without padding, whose bytes are what is saved. What parts tell each other (lines, timers,
/// the request to the processor) each keeps on its side and saves there: loading one tells no other.
/// </remarks>
internal interface IStateful
{
    /// <summary>Writes the state.</summary>
    public void Save(StateWriter to);

    /// <summary>Takes a state over from another that was made and wired in the same way.</summary>
    /// <exception cref="KprobeTraceException">No such part can be in this state.</exception>
    public void Load(StateReader from);
}
