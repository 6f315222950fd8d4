using KprobeTrace.Tracing;

namespace KprobeTrace.Bench;

/// <summary>Events made beforehand, so that a measurement holds the writer alone.</summary>
internal sealed class HitPool
{
    private readonly TraceEvent[] _events;
    private readonly byte[][] _arguments;
    private readonly ulong[][] _stacks;

    internal HitPool(int count)
    {
        _events = new TraceEvent[count];
        _arguments = new byte[count][];
        _stacks = new ulong[count][];
        SyntheticKernel kernel = new();
        for (int i = 0; i < count; i++)
        {
            kernel.Next(out _events[i]);
            _arguments[i] = kernel.Arguments.ToArray();
            _stacks[i] = kernel.Stack.ToArray();
        }
    }

    /// <summary>Writes as many events as asked for, going round in the pool with time moving on.</summary>
    internal void Write(TraceWriter writer, int count)
    {
        ulong span = _events[^1].Instructions;
        ulong shift = 0;
        ulong lap = 0;
        int at = 0;
        for (int i = 0; i < count; i++)
        {
            ref TraceEvent source = ref _events[at];
            TraceEvent e = source;
            e.Instructions += shift;
            e.TimeNs += shift;
            if (e.EntrySeq != 0)
            {
                e.EntrySeq += lap;
                e.EntryTimeNs += shift;
            }

            writer.WriteEvent(in e, _arguments[at], _stacks[at]);
            if (++at == _events.Length)
            {
                at = 0;
                shift += span;
                lap += (ulong)_events.Length;
            }
        }

        writer.Complete(new TraceFooter { Ended = "poweroff", Instructions = span + shift, TimeNs = span + shift });
    }
}
