using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Session;

/// <summary>What somebody keeps in a saved guest who comes only once it is opened: its bytes wait for them.</summary>
internal sealed class SavedBytes : IStateful
{
    /// <summary>Who writes it when the guest is saved; null for nobody.</summary>
    public IStateful? Owner { get; set; }

    /// <summary>What was loaded and waits; null where nothing was, or it was empty.</summary>
    public StateReader? Waiting { get; private set; }

    /// <inheritdoc/>
    public void Save(StateWriter to) => Owner?.Save(to);

    /// <inheritdoc/>
    public void Load(StateReader from)
    {
        byte[] bytes = from.ReadRest().ToArray();
        Waiting = bytes.Length == 0 ? null : new StateReader("the recorder", bytes);
    }
}
