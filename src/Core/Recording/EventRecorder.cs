using System.Runtime.CompilerServices;
using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Guest;
using KprobeTrace.Kprobes;
using KprobeTrace.Machine;
using KprobeTrace.Probes;
using KprobeTrace.Session;
using KprobeTrace.Tracing;

namespace KprobeTrace.Recording;

/// <summary>Turns the hits of one definition into trace events: fetches, filters, writes.</summary>
internal sealed unsafe class EventRecorder
{
    private const int MaxStack = 64;

    private readonly Recorder _recorder;
    private readonly GuestMachine _machine;
    private readonly FetchEnvironment _environment;
    private FetchProgram _program;
    private readonly FetchBuffer _values;
    private readonly ProbeEvent _event;
    private readonly bool _wantsStack;
    private readonly bool _atEntry;
    private readonly ulong[] _stack = new ulong[MaxStack];
    private readonly Hit[] _hits;
    private TraceEvent _scratch;

    public EventRecorder(Recorder recorder, GuestSession session, ProbeEvent probeEvent, ProbeDefinition definition, bool atEntry)
    {
        _recorder = recorder;
        _machine = session.Machine;
        _environment = session.Environment;
        _event = probeEvent;
        _program = definition.CompileArguments();
        _values = _program.CreateBuffer();
        _wantsStack = definition.WantsStack;
        _atEntry = atEntry;
        _hits = new Hit[_machine.Processors.Count];
        Definition = definition;
        SavedAs = SavedName(definition);
    }

    /// <summary>The number that events name the probe by.</summary>
    public int Id { get; set; }

    /// <summary>What the user wrote.</summary>
    public ProbeDefinition Definition { get; }

    /// <summary>The name in a saved guest: who goes on with the same definition goes on with this probe.</summary>
    public string SavedAs { get; }

    /// <summary>The probe, for <c>p</c> definitions.</summary>
    public Kprobe? Probe { get; private set; }

    /// <summary>The return probe, for <c>r</c> definitions.</summary>
    public Kretprobe? ReturnProbe { get; private set; }

    /// <summary>Why the probe was refused when its module came; empty when it was not.</summary>
    public string Refusal { get; set; } = "";

    /// <summary>Hits so far, recorded or filtered out.</summary>
    public ulong Hits => ReturnProbe?.Returns ?? Probe?.Hits ?? 0;

    /// <summary>Hits that the filter left out.</summary>
    public ulong Filtered { get; private set; }

    /// <summary>The name of a definition in a saved guest.</summary>
    public static string SavedName(ProbeDefinition definition) => $"{definition.Group}/{definition.Event} {definition.Command}";

    /// <summary>Makes the kprobe that feeds this recorder, with only the handlers that its event kinds need.</summary>
    public Kprobe CreateKprobe(EventKinds kinds)
    {
        ProbePlace place = Definition.Place;
        Probe = new Kprobe
        {
            SymbolName = place.QualifiedSymbol,
            Addr = place.Symbol is null ? place.Address : 0,
            Offset = place.Offset,
            PreHandler = OnPre,
            Tag = this,
            SavedAs = SavedAs,
        };
        if ((kinds & EventKinds.Post) != 0)
        {
            Probe.PostHandler = OnPost;
        }

        if ((kinds & EventKinds.Fault) != 0)
        {
            Probe.FaultObserver = OnFault;
        }

        return Probe;
    }

    /// <summary>Makes the return probe that feeds this recorder.</summary>
    public Kretprobe CreateKretprobe()
    {
        ProbePlace place = Definition.Place;
        ReturnProbe = new Kretprobe(isInternal: false, SavedAs)
        {
            MaxActive = Definition.MaxActive,
            EntryHandler = OnEntry,
            Handler = OnReturn,
        };
        ReturnProbe.Kp.SymbolName = place.QualifiedSymbol;
        ReturnProbe.Kp.Addr = place.Symbol is null ? place.Address : 0;
        ReturnProbe.Kp.Tag = this;
        return ReturnProbe;
    }

    /// <summary>Whether a probe is the one that feeds this recorder, or its entry.</summary>
    public bool Owns(Kprobe probe) => probe == Probe || probe == ReturnProbe?.Kp;

    /// <summary>Looks up the data symbols of the arguments anew; fails when one is unknown.</summary>
    public KprobeResult ResolveData(IProbeTarget target)
    {
        if (Definition.ResolveData(target) is string unknown)
        {
            return new KprobeResult(KprobeErrno.NoEntry, $"no symbol {unknown}");
        }

        _program = Definition.CompileArguments();
        return KprobeResult.Success;
    }

    /// <summary>For each processor, whether the hit it is at has passed the filter: a repeated instruction may be saved between its elements.</summary>
    public void SaveHits(StateWriter to) => to.Write(Array.ConvertAll(_hits, static hit => (byte)(hit.Passed ? 1 : 0)));

    /// <summary>Takes over what <see cref="SaveHits"/> wrote; the event before the step is in another trace.</summary>
    public void LoadHits(ReadOnlySpan<byte> saved)
    {
        for (int i = 0; i < _hits.Length; i++)
        {
            _hits[i].Passed = saved[i] == 1;
        }
    }

    private int OnPre(Kprobe probe, ref PtRegs registers)
    {
        fixed (PtRegs* frame = &registers)
        {
            _program.Execute(frame, _environment, _values);
            ref Hit hit = ref _hits[_environment.CpuIndex];
            hit.Passed = _event.Filter is null || _event.Filter.Matches(_values, probe.Addr, 0, _environment);
            hit.Pre = 0;
            if (!hit.Passed)
            {
                Filtered++;
            }
            else if ((_recorder.Kinds & EventKinds.Pre) != 0)
            {
                Begin(TraceEventKind.Pre, probe.Addr, frame);
                _scratch.Caller = _atEntry ? ReadCaller(frame->Sp) : 0;
                int depth = _wantsStack ? _environment.WalkStack(frame, probe.Addr, _stack) : 0;
                hit.Pre = Write(withArguments: true, depth);
            }
        }

        return 0;
    }

    private void OnPost(Kprobe probe, ref PtRegs registers, ulong flags)
    {
        Hit hit = _hits[_environment.CpuIndex];
        if (!hit.Passed)
        {
            return;
        }

        fixed (PtRegs* frame = &registers)
        {
            Begin(TraceEventKind.Post, probe.Addr, frame);
            _scratch.EntrySeq = hit.Pre;
            Write(withArguments: false, depth: 0);
        }
    }

    private void OnFault(Kprobe probe, ref PtRegs registers, in KprobeFault fault)
    {
        Hit hit = _hits[_environment.CpuIndex];
        if (!hit.Passed)
        {
            return;
        }

        fixed (PtRegs* frame = &registers)
        {
            Begin(TraceEventKind.Fault, probe.Addr, frame);
            _scratch.EntrySeq = hit.Pre;
            _scratch.Vector = (byte)fault.Vector;
            _scratch.ErrorCode = fault.ErrorCode;
            _scratch.Cr2 = fault.Vector == Vector.PageFault ? fault.Cr2 : 0;
            _scratch.Parts |= fault.Handled ? TraceEventParts.Handled : TraceEventParts.None;
            Write(withArguments: false, depth: 0);
        }
    }

    private int OnEntry(KretprobeInstance instance, ref PtRegs registers)
    {
        instance.Token = (ulong)_machine.Now;
        return 0;
    }

    private int OnReturn(KretprobeInstance instance, ref PtRegs registers)
    {
        fixed (PtRegs* frame = &registers)
        {
            _program.Execute(frame, _environment, _values);
            ulong function = instance.Probe.Kp.Addr;
            if (_event.Filter is not null && !_event.Filter.Matches(_values, function, instance.RetAddr, _environment))
            {
                Filtered++;
            }
            else if ((_recorder.Kinds & EventKinds.Return) != 0)
            {
                Begin(TraceEventKind.Return, function, frame);
                _scratch.Caller = instance.RetAddr;
                _scratch.EntryTimeNs = instance.Token;
                Write(withArguments: true, _wantsStack ? _environment.WalkStack(instance, frame, _stack) : 0);
            }
        }

        return 0;
    }

    private void Begin(TraceEventKind kind, ulong address, PtRegs* frame)
    {
        ref TraceEvent e = ref _scratch;
        Processor processor = _machine.Processors.Running;
        e.Instructions = (ulong)_machine.Retired;
        e.TimeNs = (ulong)processor.Now;
        e.Cpu = (ushort)processor.Index;
        e.Address = address;
        e.Caller = 0;
        e.EntrySeq = 0;
        e.Cr2 = 0;
        e.Vector = 0;
        e.ErrorCode = 0;
        e.ProbeId = Id;
        e.Kind = kind;
        e.Parts = TraceEventParts.Registers;
        CopyRegisters(ref e.Registers, frame);
        e.Registers.Cr3 = processor.State->Cr3;
        CurrentTask task = _environment.Current();
        if (task.Address != 0)
        {
            e.Parts |= TraceEventParts.Task;
            e.Pid = task.Pid;
            SetComm(ref e.Comm, task.CommLow, task.CommHigh);
        }
    }

    private ulong Write(bool withArguments, int depth)
    {
        ReadOnlySpan<byte> arguments = withArguments ? _recorder.Arguments.Encode(_values) : default;
        return _recorder.Write(in _scratch, arguments, _stack.AsSpan(0, depth));
    }

    private ulong ReadCaller(ulong sp)
    {
        ulong caller;
        return _environment.TryReadKernel(sp, new Span<byte>(&caller, sizeof(ulong))) ? caller : 0;
    }

    private static void SetComm(ref TraceComm comm, ulong low, ulong high)
    {
        // SAFETY: the name is sixteen bytes; what follows its first NUL is the kernel's business and is cleared.
        ref ulong first = ref Unsafe.As<TraceComm, ulong>(ref comm);
        ulong end = FirstZero(low);
        first = low & end;
        Unsafe.Add(ref first, 1) = end == ulong.MaxValue ? high & FirstZero(high) : 0;
    }

    /// <summary>A mask of the bytes before the first zero byte.</summary>
    private static ulong FirstZero(ulong bytes)
    {
        ulong zeros = (bytes - 0x0101010101010101) & ~bytes & 0x8080808080808080;
        return zeros == 0 ? ulong.MaxValue : (1UL << (System.Numerics.BitOperations.TrailingZeroCount(zeros) - 7)) - 1;
    }

    private static void CopyRegisters(ref TraceRegisters to, PtRegs* from)
    {
        to.Ax = from->Ax;
        to.Bx = from->Bx;
        to.Cx = from->Cx;
        to.Dx = from->Dx;
        to.Si = from->Si;
        to.Di = from->Di;
        to.Bp = from->Bp;
        to.Sp = from->Sp;
        to.R8 = from->R8;
        to.R9 = from->R9;
        to.R10 = from->R10;
        to.R11 = from->R11;
        to.R12 = from->R12;
        to.R13 = from->R13;
        to.R14 = from->R14;
        to.R15 = from->R15;
        to.Ip = from->Ip;
        to.Flags = from->Flags;
    }

    /// <summary>What one processor's step after a hit needs of the hit: another processor may meet the probe before it is over.</summary>
    private struct Hit
    {
        /// <summary>Whether the filter let it pass.</summary>
        public bool Passed;

        /// <summary>The number of the event it gave, 0 for none.</summary>
        public ulong Pre;
    }
}
