using System.Runtime.InteropServices;
using KprobeTrace.Cpu;
using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Machine;

/// <content>Taking a whole machine out and putting one in. Probes, handlers and who listens are not part of it.</content>
internal sealed partial class GuestMachine : IStateful
{
    private const string ProcessorName = "processor";

    private State _state;

    // Set while and after a state could not be taken over.
    private bool _isHalfLoaded;

    /// <summary>Writes all that this machine is, so that another goes on from here as this one does.</summary>
    /// <param name="stream">Stays open.</param>
    /// <param name="knowledge">What is known of the guest outside of the machine, each under a name of its own.</param>
    /// <remarks>
    /// What is written depends on the guest alone: machines at the same instruction of the same run write the same
    /// bytes, unless one was saved before and so walks its page tables anew.
    /// </remarks>
    /// <exception cref="InvalidOperationException">The guest runs, or the machine holds half of a state.</exception>
    /// <exception cref="KprobeTraceException">The guest has let more than a hundred years of virtual time go by.</exception>
    public void Save(Stream stream, params ReadOnlySpan<(string Name, IStateful Part)> knowledge)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ThrowIfHalfLoaded();
        if (Now > Processor.MaxSavedTime)
        {
            throw new KprobeTraceException("the guest's clock is more than a hundred years ahead, and such a state cannot be gone on from: save it earlier");
        }

        Processors.ThrowIfRunning();
        byte[] state = new byte[Processor.StateBytes];
        using StateRecordWriter records = new(stream, Processors.Count, Memory.Size);
        foreach (Processor processor in Processors)
        {
            processor.SaveState(state);
            records.Write(ProcessorName, state);
        }

        foreach ((string name, IStateful part) in Parts())
        {
            records.Write(name, part);
        }

        foreach ((string name, IStateful part) in knowledge)
        {
            records.Write(name, part);
        }

        records.WriteRam(Memory);
        records.WriteEnd();
    }

    /// <summary>Goes on from a state that <see cref="Save"/> wrote.</summary>
    /// <param name="stream">Stays open.</param>
    /// <param name="knowledge">As at <see cref="Save"/>; loaded in this order once the machine is.</param>
    /// <remarks>
    /// The machine was built of the same image and with the same options. Nothing behind the state is read. What
    /// is told to be no state of such a machine before its RAM is read leaves the machine as it is. After an exception from there on it may
    /// hold half of a state: it then refuses to run and to be saved, and only another state, or
    /// <see cref="Dispose"/>, is of use.
    /// </remarks>
    /// <exception cref="KprobeTraceException">It is no saved state, one that is damaged, of another version, or of a machine that was built otherwise.</exception>
    /// <exception cref="InvalidOperationException">The guest runs.</exception>
    public void Load(Stream stream, params ReadOnlySpan<(string Name, IStateful Part)> knowledge)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Processors.ThrowIfRunning();
        using StateRecordReader records = new(stream, Processors.Count, Memory.Size);
        byte[][] processors = new byte[Processors.Count][];
        for (int i = 0; i < processors.Length; i++)
        {
            processors[i] = records.Read(ProcessorName);
            if (processors[i].Length != Processor.StateBytes)
            {
                throw new KprobeTraceException($"the saved state's processor has {processors[i].Length} bytes instead of {Processor.StateBytes}: another version of KprobeTrace wrote it");
            }
        }

        (IStateful Part, StateReader State)[] parts = [.. Parts().Select(p => (p.Part, records.ReadState(p.Name)))];
        List<(IStateful Part, StateReader State)> known = [];
        foreach ((string name, IStateful part) in knowledge)
        {
            known.Add((part, records.ReadState(name, StateFormat.MaxKnowledgeSize)));
        }

        _isHalfLoaded = true;
        records.ReadRam(Memory);

        // The checksum was right: from here on it is what was saved.
        LoadAll(parts);
        for (int i = 0; i < processors.Length; i++)
        {
            Processors[i].LoadState(processors[i]);
            _bus.Processors[i].RenewInterruptLine();
        }

        Processors.TellOfWatchedPages();
        LoadAll(known);
        _isHalfLoaded = false;
    }

    /// <inheritdoc/>
    void IStateful.Save(StateWriter to) => to.Write(_state);

    /// <inheritdoc/>
    void IStateful.Load(StateReader from)
    {
        State state = from.Read<State>();
        from.Require(Enum.IsDefined(state.Power) && state.Power != PowerState.Stopped);
        _state = state;
    }

    private static void LoadAll(IEnumerable<(IStateful Part, StateReader State)> parts)
    {
        foreach ((IStateful part, StateReader state) in parts)
        {
            part.Load(state);
            state.RequireEnd();
        }
    }

    private IEnumerable<(string Name, IStateful Part)> Parts() => [("machine", this), .. _bus.Parts];

    private void ThrowIfHalfLoaded()
    {
        if (_isHalfLoaded)
        {
            throw new InvalidOperationException("a state could not be loaded into this machine: load another, or build another machine");
        }
    }

    /// <summary>What the machine keeps beside its parts.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>Whether and how the guest ended.</summary>
        public PowerState Power;

        /// <summary>What the guest wrote to the exit port.</summary>
        public uint ExitValue;
    }
}
