using KprobeTrace.Tracing;

namespace KprobeTrace.Bench;

/// <summary>Events made or read beforehand, so that a measurement holds the writer alone.</summary>
internal sealed class HitPool
{
    private readonly List<TraceEvent> _events = [];
    private readonly List<byte[]> _arguments = [];
    private readonly List<ulong[]> _stacks = [];

    internal delegate void EventSink(in TraceEvent e, ReadOnlySpan<byte> arguments, ReadOnlySpan<ulong> stack);

    internal int Count => _events.Count;

    internal static HitPool Synthetic(int count)
    {
        HitPool pool = new();
        SyntheticKernel kernel = new();
        for (int i = 0; i < count; i++)
        {
            kernel.Next(out TraceEvent e);
            pool.Add(in e, kernel.Arguments, kernel.Stack);
        }

        return pool;
    }

    /// <summary>The first events of a trace.</summary>
    internal static HitPool FromTrace(string path, int count)
    {
        HitPool pool = new();
        using TraceReader reader = TraceReader.Open(path);
        while (pool.Count < count && reader.ReadChunk())
        {
            for (int i = 0; i < reader.Events.Length && pool.Count < count; i++)
            {
                pool.Add(in reader.Events[i], reader.GetArguments(i), reader.GetStack(i));
            }
        }

        return pool.Count > 0 ? pool : throw new KprobeTraceException($"{path}: there is no event in it");
    }

    /// <summary>Gives as many events as asked for to a sink, going round in the pool with time moving on.</summary>
    internal void ForEach(int count, EventSink sink)
    {
        ulong span = _events[^1].Instructions;
        ulong shift = 0;
        ulong lap = 0;
        int at = 0;
        for (int i = 0; i < count; i++)
        {
            TraceEvent e = _events[at];
            e.Seq += lap;
            e.Instructions += shift;
            e.TimeNs += shift;
            if (e.EntrySeq != 0)
            {
                e.EntrySeq += lap;
            }

            if (e.EntryTimeNs != 0)
            {
                e.EntryTimeNs += shift;
            }

            sink(in e, _arguments[at], _stacks[at]);
            if (++at == _events.Count)
            {
                at = 0;
                shift += span;
                lap += (ulong)_events.Count;
            }
        }
    }

    internal void Write(TraceWriter writer, int count)
    {
        ForEach(count, (in e, arguments, stack) => writer.WriteEvent(in e, arguments, stack));
        writer.Complete(new TraceFooter { Ended = "poweroff" });
    }

    private void Add(in TraceEvent e, ReadOnlySpan<byte> arguments, ReadOnlySpan<ulong> stack)
    {
        _events.Add(e);
        _arguments.Add(arguments.ToArray());
        _stacks.Add(stack.ToArray());
    }
}
