namespace KprobeTrace.Probes;

/// <summary>One event: a group and name with the probes defined under it, which share arguments and filter.</summary>
internal sealed class ProbeEvent
{
    private readonly List<ProbeDefinition> _probes = [];

    internal ProbeEvent(ProbeDefinition first)
    {
        Group = first.Group;
        Name = first.Event;
        IsReturn = first.IsReturn;
        _probes.Add(first);
    }

    /// <summary>The group.</summary>
    public string Group { get; }

    /// <summary>The name.</summary>
    public string Name { get; }

    /// <summary>True when the event's probes are return probes.</summary>
    public bool IsReturn { get; }

    /// <summary>The probes, in order of definition.</summary>
    public IReadOnlyList<ProbeDefinition> Probes => _probes;

    /// <summary>The arguments of every probe of the event.</summary>
    public IReadOnlyList<ProbeArgument> Arguments => _probes[0].Arguments;

    /// <summary>The filter in force, null when every hit is recorded.</summary>
    public EventFilter? Filter { get; private set; }

    /// <summary>Sets the filter; <c>0</c> clears it.</summary>
    /// <exception cref="ProbeSyntaxException">The expression is refused; the event is then left without a filter.</exception>
    public void SetFilter(string text)
    {
        Filter = null;
        EventFilter filter = EventFilter.Parse(text, _probes[0]);
        Filter = filter.MatchesEverything ? null : filter;
    }

    internal void Append(ProbeDefinition probe) => _probes.Add(probe);

    internal void Remove(ProbeDefinition probe) => _probes.Remove(probe);
}
