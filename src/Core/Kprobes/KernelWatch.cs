using KprobeTrace.Devices.Saving;
using KprobeTrace.Guest;

namespace KprobeTrace.Kprobes;

/// <summary>Notices what a Linux guest does to its own text and tasks, by internal probes on the kernel's functions.</summary>
/// <remarks>
/// <code>
/// do_init_module(mod)     entry: the module is coming; return of 0: it is live, its init text goes
/// free_module(mod)        the module's text goes
/// free_initmem()          the kernel's init text goes
/// __put_task_struct(task) nothing of the task will ever run again
/// </code>
/// A kernel without one of these functions is watched without it. Internal probes are in no list and no trace.
/// </remarks>
internal sealed class KernelWatch : IStateful
{
    /// <summary>Bytes of a module in a saved guest, but for its name.</summary>
    private const int SavedModule = sizeof(ulong) + sizeof(int);

    private readonly KprobeSubsystem _kprobes;
    private readonly ImageText _text;
    private readonly LinuxGuest _linux;
    private readonly OrcUnwinder? _unwinder;

    /// <summary>Creates the watch; <see cref="Begin"/> places its probes.</summary>
    public KernelWatch(KprobeSubsystem kprobes, ImageText text, LinuxGuest linux, OrcUnwinder? unwinder)
    {
        ArgumentNullException.ThrowIfNull(kprobes);
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(linux);
        _kprobes = kprobes;
        _text = text;
        _linux = linux;
        _unwinder = unwinder;
        Modules = new ModuleProbes(kprobes);
        text.ModuleState = module => linux.ReadModuleState(module.Address) ?? module.State;
    }

    /// <summary>Is told of a module before its init function runs.</summary>
    public event Action<GuestModule>? ModuleLoaded;

    /// <summary>Is told of a module whose init function has succeeded and whose init text is therefore gone.</summary>
    public event Action<GuestModule>? ModuleLive;

    /// <summary>Is told of a module whose text goes away.</summary>
    public event Action<string>? ModuleUnloaded;

    /// <summary>Probes that wait for modules.</summary>
    public ModuleProbes Modules { get; }

    /// <summary>Places the probes, in a guest that stands before its first instruction or goes on from a saved one.</summary>
    public void Begin()
    {
        OnEntry("free_module", ModuleGoing);
        OnEntry("free_initmem", _ => InitTextFreed());
        OnEntry("__put_task_struct", _kprobes.TaskExited);
        WatchModuleInit();
    }

    /// <remarks>What is known of a module is read from the guest's memory, where it still stands: only where is saved.</remarks>
    void IStateful.Save(StateWriter to)
    {
        to.Write(_text.IsInitFreed);

        // One that cannot be read again, for the guest has written over it, is not gone on with.
        GuestModule[] modules = [.. _text.Modules.Where(module => _linux.ReadModuleName(module.Address) == module.Name)];
        to.Write(modules.Length);
        foreach (GuestModule module in modules)
        {
            to.Write(module.Address);
            to.Write(module.Name);
        }
    }

    /// <inheritdoc/>
    void IStateful.Load(StateReader from)
    {
        byte freed = from.Read<byte>();
        from.Require(freed <= 1);
        _text.IsInitFreed = freed == 1;
        int count = from.ReadCount(SavedModule);
        from.Require(count <= LinuxGuest.MaxModules);
        HashSet<ulong> known = [];
        for (int left = count; left > 0; left--)
        {
            ulong address = from.Read<ulong>();
            from.Require(known.Add(address));
            GuestModule? module = _linux.ReadModule(address);
            string name = from.ReadText();
            from.Require(module is not null && module.Name == name);
            _text.SetModule(module!);
            _unwinder?.AddModule(module!);
        }
    }

    private static string SavedAs(string function) => "watch " + function;

    private void OnEntry(string function, Action<ulong> action)
    {
        Kprobe probe = new()
        {
            SymbolName = function,
            IsInternal = true,
            SavedAs = SavedAs(function),
            PreHandler = (_, ref registers) =>
            {
                action(registers.Di);
                return 0;
            },
        };

        // A kernel that lacks the function, or whose function moved into its callers, is watched without it.
        _ = _kprobes.RegisterKprobe(probe);
    }

    private void WatchModuleInit()
    {
        const string function = "do_init_module";
        Kretprobe probe = new(isInternal: true, SavedAs(function))
        {
            EntryHandler = (call, ref registers) => ModuleComing(call, registers.Di),
            Handler = (call, ref registers) => ModuleInitialized(call.Token, (int)registers.Ax),
        };
        probe.Kp.SymbolName = function;
        _ = _kprobes.RegisterKretprobe(probe);
    }

    private int ModuleComing(KretprobeInstance call, ulong address)
    {
        call.Token = address;
        if (_linux.ReadModule(address) is not GuestModule module)
        {
            return 1;
        }

        _text.SetModule(module);
        _unwinder?.AddModule(module);
        ModuleLoaded?.Invoke(module);
        Modules.ModuleComing(module.Name);
        return 0;
    }

    /// <summary>The init function is done. Where it failed the kernel has freed the module already.</summary>
    private int ModuleInitialized(ulong address, int result)
    {
        if (Find(address) is not GuestModule coming || result != 0)
        {
            return 0;
        }

        _kprobes.TextGone(coming.InitText.Start, coming.InitText.End);
        if (_linux.ReadModule(address) is GuestModule live && live.Name == coming.Name)
        {
            // The module has another symbol table now, and something else may take the place of its init text.
            _text.SetModule(live);
            _unwinder?.AddModule(live);
            ModuleLive?.Invoke(live);
        }

        return 0;
    }

    private void ModuleGoing(ulong address)
    {
        if (Find(address) is not GuestModule module)
        {
            return;
        }

        _kprobes.TextGone(module.InitText.Start, module.InitText.End);
        _kprobes.TextGone(module.CoreText.Start, module.CoreText.End);
        _text.RemoveModule(module.Name);
        _unwinder?.RemoveModule(module.Name);
        ModuleUnloaded?.Invoke(module.Name);
    }

    private void InitTextFreed()
    {
        GuestRange range = _text.InitText;
        _text.IsInitFreed = true;
        _kprobes.TextGone(range.Start, range.End);
    }

    private GuestModule? Find(ulong address) => _text.Modules.FirstOrDefault(m => m.Address == address);
}
