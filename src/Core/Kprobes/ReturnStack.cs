namespace KprobeTrace.Kprobes;

/// <summary>The open calls on one kernel stack, the outermost first: frames fall from the first to the last.</summary>
internal sealed class ReturnStack
{
    // What lies behind the last is dead: instances are used again anyway.
    private KretprobeInstance[] _calls = new KretprobeInstance[8];

    public int Count { get; private set; }

    public KretprobeInstance this[int index] => _calls[index];

    public void Push(KretprobeInstance call)
    {
        if (Count == _calls.Length)
        {
            Array.Resize(ref _calls, Count * 2);
        }

        _calls[Count++] = call;
    }

    public KretprobeInstance Pop() => _calls[--Count];

    /// <summary>Takes out every call that a condition holds for, keeping the others in order.</summary>
    public void RemoveAll(Predicate<KretprobeInstance> condition, Action<KretprobeInstance> removed)
    {
        int kept = 0;
        for (int i = 0; i < Count; i++)
        {
            if (condition(_calls[i]))
            {
                removed(_calls[i]);
            }
            else
            {
                _calls[kept++] = _calls[i];
            }
        }

        Count = kept;
    }
}
