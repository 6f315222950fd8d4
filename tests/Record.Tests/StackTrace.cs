using KprobeTrace.Symbols;
using KprobeTrace.Tracing;

namespace KprobeTrace.Tests.Record;

/// <summary>The calls of a recording whose functions have a probe on their entry and one on their return, both with stacks.</summary>
internal sealed class StackTrace
{
    private static readonly string[] _trampolines = ["arch_rethook_trampoline", "return_to_handler"];
    private readonly Dictionary<int, TraceProbe> _probes = [];
    private readonly Dictionary<(string Function, ulong Time, int Pid), (ulong Caller, ulong[] Stack)> _entries = [];
    private readonly SymbolTable _symbols;

    public StackTrace(string path)
    {
        List<Symbol> symbols = [];
        using TraceReader reader = TraceReader.Open(path);
        while (reader.ReadChunk())
        {
            switch (reader.Kind)
            {
                case TraceChunkKind.Probes:
                    reader.Probes.ToList().ForEach(p => _probes[p.Id] = p);
                    break;
                case TraceChunkKind.Symbols:
                    symbols.AddRange(reader.Symbols.Select(s => new Symbol(s.Name, s.Address, s.Size, s.Kind, s.Module)));
                    break;
                case TraceChunkKind.Events:
                    for (int i = 0; i < reader.Events.Length; i++)
                    {
                        Add(reader.Events[i], reader.GetStack(i).ToArray());
                    }

                    break;
            }
        }

        _symbols = new SymbolTable(symbols);
        Trampolines = symbols.Where(s => _trampolines.Contains(s.Name)).Select(s => s.Address).ToHashSet();
    }

    /// <summary>The calls that returned.</summary>
    public List<(string Function, string Task, ulong Caller, ulong[] Entry, ulong[] Return)> Calls { get; } = [];

    /// <summary>Where the kernel's return trampolines begin, as far as the trace names them.</summary>
    public IReadOnlySet<ulong> Trampolines { get; }

    /// <summary>Calls that found a trampoline in place of their own caller: the function jumped to them.</summary>
    public int Replaced => Calls.Count(c => Trampolines.Contains(c.Caller));

    public string Show(IEnumerable<ulong> stack) =>
        string.Join(' ', stack.Select(a => _symbols.TryFind(a, out Symbol s, out ulong offset) ? FormattableString.Invariant($"{s.Name}+0x{offset:x}") : "?"));

    /// <summary>The functions on a stack, the innermost caller first.</summary>
    public string Names(IEnumerable<ulong> stack) => string.Join(' ', stack.Select(a => _symbols.TryFind(a - 1, out Symbol s, out _) ? s.Name : "?"));

    public IEnumerable<string> DistinctStacks(string function, string task) =>
        Calls.Where(c => c.Function == function && c.Task == task).Select(c => Show(c.Entry)).Distinct().Order(StringComparer.Ordinal);

    private void Add(in TraceEvent e, ulong[] stack)
    {
        string function = _probes[e.ProbeId].Symbol;
        if (e.Kind == TraceEventKind.Pre)
        {
            _entries[(function, e.TimeNs, e.Pid)] = (e.Caller, stack);
        }
        else
        {
            (ulong caller, ulong[] entry) = _entries[(function, e.EntryTimeNs, e.Pid)];
            Calls.Add((function, e.Comm.ToString(), caller, entry, stack));
        }
    }
}
