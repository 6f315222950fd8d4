using KprobeTrace.Kprobes;
using KprobeTrace.Machine;
using KprobeTrace.Probes;
using KprobeTrace.Session;
using KprobeTrace.Symbols;
using KprobeTrace.Tracing;

namespace KprobeTrace.Recording;

/// <summary>Runs a guest with probes on it and writes what they see to a trace.</summary>
public sealed partial class Recorder : IDisposable
{
    /// <summary>Instructions between two looks at the outside world; a fixed grid, so that it leaves no mark in the trace.</summary>
    private const long Slice = 1L << 26;

    private readonly RecordingOptions _options;
    private readonly ConsoleLines _console;
    private readonly List<EventRecorder> _recorders = [];
    private readonly List<TextPoke> _pokesBeforeRun = [];
    private readonly long[] _eventsByKind = new long[TraceEventKinds.Names.Length];
    private TraceWriter? _writer;
    private readonly long _startedAt;
    private GuestSaver? _saver;
    private long _eventsLeft;
    private volatile StopCause _cause;

    private Recorder(RecordingOptions options, Stream? console)
    {
        _options = options;
        _console = new ConsoleLines(console);
        _eventsLeft = options.MaxEvents > 0 ? options.MaxEvents : long.MaxValue;
        Session = GuestSession.Open(options, _console.Take);
        _startedAt = Session.Retired;
        Session.Recording.Owner = this;
        Session.Kprobes.TextPoked += Poked;
        WatchProbes();
    }

    /// <summary>The guest.</summary>
    public GuestSession Session { get; }

    /// <summary>Events written so far.</summary>
    public ulong EventCount => _writer?.EventCount ?? 0;

    /// <summary>The definitions in force, whether the user's or the default ones.</summary>
    public IReadOnlyList<string> Definitions { get; private set; } = [];

    /// <summary>False where all definitions are empty or taken back.</summary>
    public bool HasProbes => _recorders.Count > 0;

    /// <summary>The places of probes that wait for their module, as they were written.</summary>
    public IEnumerable<string> Pending => _recorders.Where(r => State(r) == "pending").Select(r => r.Definition.Place.ToString());

    /// <summary>Kinds of events that are written.</summary>
    internal EventKinds Kinds => _options.Kinds;

    /// <summary>Encodes arguments; shared, because hits never overlap.</summary>
    internal ArgumentEncoder Arguments { get; } = new();

    /// <summary>Loads the image, checks the definitions and registers the probes; nothing runs and no file is made yet.</summary>
    /// <param name="options">What to record.</param>
    /// <param name="console">Receives the guest's serial output; null for nowhere.</param>
    /// <exception cref="ProbeSyntaxException">A definition or a filter is wrong.</exception>
    /// <exception cref="KprobeTraceException">The image or the options are not usable.</exception>
    public static Recorder Open(RecordingOptions options, Stream? console)
    {
        ArgumentNullException.ThrowIfNull(options);
        Recorder recorder = new(options, console);
        try
        {
            recorder.Define();
            recorder.CheckPoints();
            return recorder;
        }
        catch
        {
            recorder.Dispose();
            throw;
        }
    }

    /// <summary>Runs the guest to its end or to a limit and completes the trace.</summary>
    /// <param name="progress">Called now and then between instructions, for a display.</param>
    /// <exception cref="KprobeTraceException">The trace could not be written.</exception>
    /// <exception cref="InvalidOperationException">It runs already: this was called from a handler, or from another thread.</exception>
    public RunEnd Run(Action? progress = null)
    {
        GuestMachine machine = Session.Machine;
        machine.Processors.ThrowIfRunning();
        using TraceWriter writer = TraceWriter.Create(_options.Output, Header(), new TraceWriterOptions { ResolveSymbol = Resolve });
        _writer = writer;
        _console.Writer = writer;
        _console.Machine = machine;
        WriteProbes(writer);
        foreach (SkippedProbe skipped in _skipped)
        {
            Note(TraceNoteKind.Refusal, $"{skipped.Place}: {skipped.Error.Explain(withHint: false)}");
        }

        long limit = _options.MaxInstructions > 0 ? _options.MaxInstructions : long.MaxValue;
        PowerState state;
        do
        {
            long next = Math.Min(limit, (machine.Retired / Slice * Slice) + Slice);
            state = RunTo(next);
            Session.Kprobes.SettleText();
            writer.Advance((ulong)machine.Retired);
            progress?.Invoke();
        }
        while (state == PowerState.Stopped && _cause == StopCause.None && machine.Retired < limit);

        if (state == PowerState.Stopped && _cause == StopCause.None)
        {
            _cause = StopCause.MaxInstructions;
        }

        _console.Finish();
        Session.Kprobes.SettleAllText();
        WriteCallNotes();
        TraceFooter footer = Footer(state);
        writer.Complete(footer);
        return new RunEnd
        {
            Power = state,
            Crashed = state == PowerState.TripleFault || (state == PowerState.Reset && _console.SawPanic),
            StuckAt = state == PowerState.Stuck ? Session.Place() : "",
            Footer = footer,
            Bytes = writer.BytesWritten,
            EventsByKind = _eventsByKind,
            Hits = [.. _recorders.Select(r => new ProbeHits(r.Definition.Event, r.Hits, r.Filtered))],
            NotSaved = [.. _saver?.Left ?? []],
            Refused = [.. _recorders.Where(r => r.Refusal.Length > 0).Select(r => (r.Definition.Event, r.Refusal))],
        };
    }

    /// <summary>Runs to a count of retired instructions, and saves the guest where it comes by a point.</summary>
    private PowerState RunTo(long next)
    {
        GuestMachine machine = Session.Machine;
        PowerState state;
        do
        {
            long stop = Math.Min(next, _saver?.NextStop ?? next);
            state = machine.Run(stop);
            bool saved = _saver is not null && _saver.Save();
            if (state == PowerState.Stopped && _cause == StopCause.None && machine.Retired < stop && !saved)
            {
                // A handler of the library's user has stopped the session.
                _cause = StopCause.Interrupted;
            }
        }
        while (state == PowerState.Stopped && _cause == StopCause.None && machine.Retired < next);
        return state;
    }

    /// <summary>Ends the run before the next instruction; may be called from any thread.</summary>
    public void Stop(StopCause cause)
    {
        _cause = cause;
        Session.Machine.Stop();
    }

    /// <summary>Returns the guest's memory to the host.</summary>
    public void Dispose() => Session.Dispose();

    /// <summary>Writes one event and counts it.</summary>
    internal ulong Write(in TraceEvent e, ReadOnlySpan<byte> arguments, ReadOnlySpan<ulong> stack)
    {
        if (_eventsLeft == 0)
        {
            return 0;
        }

        _eventsByKind[(int)e.Kind]++;
        ulong seq = _writer!.WriteEvent(in e, arguments, stack);
        if (_saver is not null && _saver.Meets(_recorders[e.ProbeId].Definition.Event))
        {
            Session.Machine.Stop();
        }

        if (--_eventsLeft == 0)
        {
            Stop(StopCause.MaxEvents);
        }

        return seq;
    }

    private TraceHeader Header() => new()
    {
        ImageName = Session.Image.BaseName,
        ImageSha256 = Session.Image.Sha256,
        InitrdSha256 = Session.Opened.InitrdSha256,
        Kernel = Session.Image.KernelRelease,
        CommandLine = Session.Image.CommandLine,
        MemoryBytes = Session.Image.MemorySize,
        Producer = _options.Producer,
        Options = HeaderOptions(),
    };

    private Dictionary<string, string> HeaderOptions()
    {
        Dictionary<string, string> options = [];
        if (_options.Kinds != EventKinds.All)
        {
            options["kinds"] = string.Join(',', TraceEventKinds.Names.ToArray().Where((_, i) => ((int)_options.Kinds & (1 << i)) != 0));
        }

        if (_options.From is not null)
        {
            options["from"] = FormattableString.Invariant($"{_startedAt}");
        }

        if (_options.MaxEvents > 0)
        {
            options["max-events"] = FormattableString.Invariant($"{_options.MaxEvents}");
        }

        if (_options.MaxInstructions > 0)
        {
            options["max-instructions"] = FormattableString.Invariant($"{_options.MaxInstructions}");
        }

        return options;
    }

    private void WriteProbes(TraceWriter writer)
    {
        foreach (EventRecorder recorder in _recorders)
        {
            writer.WriteProbe(Describe(recorder));
        }

        foreach (TextPoke poke in _pokesBeforeRun)
        {
            WritePoke(poke);
        }
    }

    private void Poked(TextPoke poke)
    {
        if (_writer is null)
        {
            _pokesBeforeRun.Add(poke);
        }
        else
        {
            WritePoke(poke);
        }
    }

    private void WritePoke(TextPoke poke) =>
        _writer!.WriteTextPoke((ulong)Session.Machine.Now, (ulong)Session.Machine.Retired, poke.Address, [poke.Old], [poke.New], poke.Reason);

    private TraceProbe Describe(EventRecorder recorder)
    {
        ProbeDefinition definition = recorder.Definition;
        ulong address = recorder.Probe?.Addr ?? recorder.ReturnProbe?.Kp.Addr ?? 0;
        bool named = Session.Symbols.TryFind(address, out Symbol symbol, out ulong offset);
        return new TraceProbe
        {
            Id = recorder.Id,
            Type = definition.IsReturn ? 'r' : 'p',
            Group = definition.Group,
            Name = definition.Event,
            Symbol = definition.Place.Symbol ?? (named ? symbol.Name : ""),
            Offset = definition.Place.Symbol is not null ? definition.Place.Offset : named ? offset : 0,
            Address = address,
            Module = definition.Place.Module ?? (named ? symbol.Module : ""),
            Definition = definition.Command,
            Filter = Session.Events.Find(definition.Group, definition.Event)?.Filter?.Text ?? "",
            State = State(recorder),
            Arguments = [.. definition.Arguments.Select(a => new TraceArgument(a.Name, TypeName(a)))],
        };
    }

    private static string TypeName(ProbeArgument argument) =>
        argument.Count > 0 ? FormattableString.Invariant($"{argument.Type.Name}[{argument.Count}]") : argument.Type.Name;

    private TraceSymbol? Resolve(ulong address) =>
        Session.Symbols.TryFind(address, out Symbol symbol, out _)
            ? new TraceSymbol(symbol.Address, symbol.Size, symbol.Name, symbol.Module, symbol.Type)
            : null;

    private TraceFooter Footer(PowerState state) => new()
    {
        Ended = RunEnding.Name(state, _cause),
        TimeNs = (ulong)Session.Machine.Now,
        Instructions = (ulong)Session.Machine.Retired,
        ExitCode = (int)Session.Machine.ExitValue,
        Probes = [.. _recorders.Select(r => new TraceProbeCount(r.Id, r.Hits, Missed(r), State(r)))],
    };

    private static ulong Missed(EventRecorder recorder) => recorder.ReturnProbe?.NMissed ?? recorder.Probe?.NMissed ?? 0;
}
