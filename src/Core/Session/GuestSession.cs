using KprobeTrace.Cpu;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Guest;
using KprobeTrace.Kprobes;
using KprobeTrace.Loaders;
using KprobeTrace.Machine;
using KprobeTrace.Probes;
using KprobeTrace.Symbols;

namespace KprobeTrace.Session;

/// <summary>A guest before its first instruction, or where a saved one stood, with everything known of it: symbols, types, tables, and its kprobes.</summary>
public sealed unsafe partial class GuestSession : IDisposable
{
    /// <summary>Through the kernel's own page tables; null unless the guest is Linux.</summary>
    private readonly AddressTranslation? _kernelTranslation;

    private GuestSession(LoadedImage image, SavedImage opened, GuestOptions options, Action<byte> console)
    {
        Image = image;
        Opened = opened;
        Symbols = ImageSymbols.Load(image, options.SymbolFile);
        Types = image.IsLinux ? Btf.Load(image, Symbols) : null;
        Machine = MachineBuilder.Build(image, console, options.ProcessorCount);
        GuestTables tables = new(image, Symbols, Types);
        Text = new ImageText(image, Symbols, tables);
        if (image.IsLinux)
        {
            KernelMemory = new KernelMemory(Machine.Memory.Base, Machine.Memory.Size, image, Symbols);
            _kernelTranslation = KernelMemory.TryTranslate;
            Linux = new LinuxGuest(image, Symbols, Types, KernelMemory);
            Unwinder = new OrcUnwinder(image, Symbols, Types, KernelMemory)
            {
                Trampolines = new ReturnTrampolines(Symbols, Types, KernelMemory, () => Linux.CurrentTaskAddress(Machine.Processors.Running.Index)),
            };
        }

        ProbedProcessors probed = new(Machine.Processors, Linux, KernelMemory);
        Kprobes = new KprobeSubsystem(probed, Text, new DecoderLength(), new FetchView(Machine.Processors, image, _kernelTranslation));
        _ = new ProcessorBreakpoints(Machine.Processors, Kprobes.Handler);
        Watch = Linux is null ? null : new KernelWatch(Kprobes, Text, Linux, Unwinder);
        Environment = new FetchEnvironment(this, probed);
        Target = new ImageProbeTarget(Symbols, Types);
        Events = new ProbeEventSet(Target);
    }

    /// <summary>The image.</summary>
    internal LoadedImage Image { get; }

    /// <summary>How the image was opened.</summary>
    internal SavedImage Opened { get; }

    /// <summary>What the recorder keeps in a saved guest.</summary>
    internal SavedBytes Recording { get; } = new();

    /// <summary>Its symbols.</summary>
    public SymbolTable Symbols { get; }

    /// <summary>Its types, null when it has none.</summary>
    public Btf? Types { get; }

    /// <summary>The machine it runs on.</summary>
    internal GuestMachine Machine { get; }

    /// <summary>What its tables say of its text.</summary>
    internal ImageText Text { get; }

    /// <summary>Kernel memory through the kernel's own page tables; null unless the guest is Linux.</summary>
    internal KernelMemory? KernelMemory { get; }

    /// <summary>Tasks and modules; null unless the guest is Linux.</summary>
    internal LinuxGuest? Linux { get; }

    /// <summary>Walks kernel stacks; null unless the guest is Linux.</summary>
    internal OrcUnwinder? Unwinder { get; }

    /// <summary>The kprobes of the machine.</summary>
    public KprobeSubsystem Kprobes { get; }

    /// <summary>Notices modules, freed init text and task exit; null unless the guest is Linux.</summary>
    internal KernelWatch? Watch { get; }

    /// <summary>The probe events defined so far.</summary>
    internal ProbeEventSet Events { get; }

    /// <summary>What definitions are checked against.</summary>
    internal IProbeTarget Target { get; }

    /// <summary>What fetch arguments and filters read of a hit.</summary>
    internal FetchEnvironment Environment { get; }

    /// <summary>Loads an image and builds the machine around it.</summary>
    /// <param name="options">What to run.</param>
    /// <param name="console">Receives every byte of the guest's serial port.</param>
    /// <exception cref="KprobeTraceException">The image, its symbols or the options are not usable.</exception>
    public static GuestSession Open(GuestOptions options, Action<byte> console)
    {
        ArgumentNullException.ThrowIfNull(options);
        using StateFile? state = options.From is null ? null : StateFile.Open(options.From);
        ImageLoadOptions load = state is null ? options.Load : state.Image.Fill(options.Load);
        LoadedImage image = options.ImageBytes is ReadOnlyMemory<byte> bytes
            ? ImageLoader.Load(options.Image, bytes, load)
            : ImageLoader.Load(options.Image, load);
        SavedImage opened = SavedImage.Of(image, load);
        state?.Image.RequireSame(opened, options.Image);
        GuestSession session = new(image, state?.Image ?? opened, options, console);
        try
        {
            session.Kprobes.AllowBlacklisted = options.AllowBlacklisted;
            state?.Load(session);
            session.Watch?.Begin();
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>Writes the guest as it is, between two instructions: another session goes on from it (<see cref="GuestOptions.From"/>).</summary>
    /// <remarks>
    /// The probes of library users are not part of it: who goes on registers them again. docs/saved-state.md describes what is written.
    /// </remarks>
    /// <param name="stream">Stays open.</param>
    /// <exception cref="InvalidOperationException">The guest runs: this was called from a handler, or from another thread.</exception>
    /// <exception cref="KprobeTraceException">The guest has let more than a hundred years of virtual time go by, or keeps more than is read again.</exception>
    public void Save(Stream stream) => Machine.Save(stream, Knowledge());

    /// <summary>What is known of the guest outside of its machine and saved with it.</summary>
    internal (string Name, IStateful Part)[] Knowledge() =>
        [(SavedImage.RecordName, Opened), .. Watch is null ? [] : new (string, IStateful)[] { ("linux", Watch) }, ("kprobes", Kprobes), ("recorder", Recording)];

    /// <summary>Where the guest stands: its instruction pointer, with the symbol that holds it.</summary>
    public string Place()
    {
        ulong rip = Machine.Processors.Running.State->Rip;
        string name = Symbols.TryFind(rip, out Symbol symbol, out ulong offset) ? $" ({symbol.Name}+0x{offset:x})" : "";
        return $"0x{rip:x}{name}";
    }

    /// <summary>Returns the guest's memory to the host.</summary>
    public void Dispose() => Machine.Dispose();
}
