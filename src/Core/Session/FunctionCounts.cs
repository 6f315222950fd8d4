using System.Runtime.InteropServices;
using KprobeTrace.Cpu;
using KprobeTrace.Kprobes;
using KprobeTrace.Symbols;

namespace KprobeTrace.Session;

/// <summary>Counts how often functions begin, in the engine and without kprobes; what probes count is held against it.</summary>
internal sealed unsafe class FunctionCounts : IExecutionCounts, IDisposable
{
    private readonly Dictionary<ulong, int> _byPhysical = [];
    private readonly Dictionary<ulong, int> _byLinear = [];

    /// <summary>The functions with their counters; those at one address share theirs.</summary>
    private readonly List<(Symbol Function, int Counter)> _functions = [];
    private readonly ImageText _text;
    private readonly ProcessorGroup _processors;
    private readonly long* _counters;

    /// <summary>Counts the given functions from where the guest stands on.</summary>
    public FunctionCounts(GuestSession session, IEnumerable<Symbol> functions)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(functions);
        _text = session.Text;
        foreach (Symbol function in functions)
        {
            bool inImage = session.Image.TryLinkToPhysical(function.Address, out ulong physical);
            Dictionary<ulong, int> counters = inImage ? _byPhysical : _byLinear;
            ulong address = inImage ? physical : function.Address;
            if (!counters.TryGetValue(address, out int counter))
            {
                counter = _functions.Count;
                counters.Add(address, counter);
            }

            _functions.Add((function, counter));
        }

        _counters = (long*)NativeMemory.AllocZeroed((nuint)Math.Max(1, _functions.Count), sizeof(long));
        _processors = session.Machine.Processors;
        _processors.ExecutionCounts = this;
    }

    /// <summary>Frees the counters of an object that was never disposed.</summary>
    ~FunctionCounts() => NativeMemory.Free(_counters);

    /// <summary>The functions with their counts so far, by address.</summary>
    public IEnumerable<(Symbol Function, long Count)> Counts() =>
        _functions.Select(f => (f.Function, CountOf(f.Counter))).OrderBy(f => f.Function.Address);

    /// <inheritdoc/>
    public long* Find(ulong physical, ulong linear) =>
        _byPhysical.TryGetValue(physical, out int i) || _byLinear.TryGetValue(linear, out i)
            ? IsFreed(_functions[i].Function.Address) ? null : _counters + i
            : null;

    /// <summary>Frees the counters; the machine must not run any more.</summary>
    /// <exception cref="InvalidOperationException">The guest runs.</exception>
    public void Dispose()
    {
        _processors.ThrowIfRunning();
        NativeMemory.Free(_counters);
        GC.SuppressFinalize(this);
    }

    /// <summary>Init text has gone, and its memory may hold other code since.</summary>
    private bool IsFreed(ulong address) => _text.IsInitFreed && _text.InitText.Contains(address);

    private long CountOf(int index) => _counters[index];
}
