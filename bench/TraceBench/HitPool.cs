using System.Runtime.InteropServices;
using KprobeTrace.Tracing;

namespace KprobeTrace.Bench;

/// <summary>Events made or read beforehand, so that a measurement holds the writer alone.</summary>
internal sealed class HitPool
{
    private readonly List<TraceEvent> _events = [];
    private readonly List<byte> _arguments = [];
    private readonly List<ulong> _stacks = [];
    private readonly List<(int Arguments, int Stack)> _ends = [];

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
    /// <remarks>Events are handed over where they lie, arguments and stacks lie in a row: the pool costs little itself.</remarks>
    internal void ForEach(int count, EventSink sink)
    {
        Span<TraceEvent> events = CollectionsMarshal.AsSpan(_events);
        ReadOnlySpan<byte> arguments = CollectionsMarshal.AsSpan(_arguments);
        ReadOnlySpan<ulong> stacks = CollectionsMarshal.AsSpan(_stacks);
        ReadOnlySpan<(int Arguments, int Stack)> ends = CollectionsMarshal.AsSpan(_ends);
        long lap = 0;
        for (int left = count; left > 0; left -= events.Length)
        {
            (int Arguments, int Stack) start = default;
            for (int i = 0; i < Math.Min(left, events.Length); i++)
            {
                (int Arguments, int Stack) end = ends[i];
                sink(in events[i], arguments[start.Arguments..end.Arguments], stacks[start.Stack..end.Stack]);
                start = end;
            }

            lap++;
            Move(events, 1);
        }

        Move(events, -lap);
    }

    internal void Write(TraceWriter writer, int count)
    {
        ForEach(count, (in e, arguments, stack) => writer.WriteEvent(in e, arguments, stack));
        writer.Complete(new TraceFooter { Ended = "poweroff" });
    }

    private void Add(in TraceEvent e, ReadOnlySpan<byte> arguments, ReadOnlySpan<ulong> stack)
    {
        _events.Add(e);
        _arguments.AddRange(arguments);
        _stacks.AddRange(stack);
        _ends.Add((_arguments.Count, _stacks.Count));
    }

    /// <summary>Moves all events by so many laps in number and time.</summary>
    private static void Move(Span<TraceEvent> events, long laps)
    {
        ulong numbers = (ulong)(laps * events.Length);
        ulong span = events[^1].Instructions - events[0].Instructions + 100;
        ulong time = (ulong)laps * span;
        foreach (ref TraceEvent e in events)
        {
            e.Seq += numbers;
            e.Instructions += time;
            e.TimeNs += time;
            e.EntrySeq += e.EntrySeq == 0 ? 0 : numbers;
            e.EntryTimeNs += e.EntryTimeNs == 0 ? 0 : time;
        }
    }
}
