namespace KprobeTrace.Queries;

/// <summary>A function in a tree of call stacks.</summary>
public sealed class StackNode
{
    private readonly SortedDictionary<string, StackNode> _children = new(StringComparer.Ordinal);

    internal StackNode(string name) => Name = name;

    /// <summary>Name of the function, or of the task at the root.</summary>
    public string Name { get; }

    /// <summary>Events in it and below.</summary>
    public long Count { get; internal set; }

    /// <summary>Events in it alone.</summary>
    public long Self { get; internal set; }

    /// <summary>What it called, by name.</summary>
    public IReadOnlyCollection<StackNode> Children => _children.Values;

    /// <summary>The child of that name, with <paramref name="count"/> more events.</summary>
    internal StackNode Descend(string name, long count)
    {
        if (!_children.TryGetValue(name, out StackNode? child))
        {
            _children.Add(name, child = new StackNode(name));
        }

        child.Count += count;
        return child;
    }
}
