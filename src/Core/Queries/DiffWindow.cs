namespace KprobeTrace.Queries;

/// <summary>The events of one run that are being aligned, in order, reduced to what is compared.</summary>
internal sealed class DiffWindow
{
    /// <summary>In <see cref="Partner"/>: not known yet.</summary>
    internal const uint Undecided = 0;

    /// <summary>In <see cref="Partner"/>: there is none.</summary>
    internal const uint Alone = uint.MaxValue;

    private int _capacity;

    /// <summary>Events in the window.</summary>
    internal int Count { get; private set; }

    /// <summary>Sequence numbers.</summary>
    internal uint[] Seqs { get; private set; } = [];

    /// <summary>What each event is, and who called: a number that both sides share for the same thing.</summary>
    internal int[] Calls { get; private set; } = [];

    /// <summary>Which group of tasks each event belongs to, likewise shared.</summary>
    internal ushort[] Groups { get; private set; } = [];

    /// <summary>A hash of what else of an event must be equal for the event to be.</summary>
    internal uint[] Contents { get; private set; } = [];

    /// <summary>The virtual time.</summary>
    internal ulong[] Times { get; private set; } = [];

    /// <summary>Sequence number of the event on the other side that corresponds, or one of the constants.</summary>
    internal uint[] Partner { get; private set; } = [];

    /// <summary>Whether content and time are those of the partner.</summary>
    internal DiffEquality[] Equal { get; private set; } = [];

    /// <summary>Adds an event at the end.</summary>
    internal void Add(uint seq, int call, ushort group, uint content, ulong time)
    {
        if (Count == _capacity)
        {
            Grow();
        }

        Seqs[Count] = seq;
        Calls[Count] = call;
        Groups[Count] = group;
        Contents[Count] = content;
        Times[Count] = time;
        Partner[Count] = Undecided;
        Count++;
    }

    /// <summary>Takes events off the front.</summary>
    internal void Drop(int events)
    {
        Count -= events;
        foreach (Array array in (Array[])[Seqs, Calls, Groups, Contents, Times, Partner, Equal])
        {
            Array.Copy(array, events, array, 0, Count);
        }
    }

    private void Grow()
    {
        _capacity = Math.Max(1024, _capacity + (_capacity / 2));
        Seqs = Larger(Seqs);
        Calls = Larger(Calls);
        Groups = Larger(Groups);
        Contents = Larger(Contents);
        Times = Larger(Times);
        Partner = Larger(Partner);
        Equal = Larger(Equal);
    }

    private T[] Larger<T>(T[] array)
    {
        Array.Resize(ref array, _capacity);
        return array;
    }
}
