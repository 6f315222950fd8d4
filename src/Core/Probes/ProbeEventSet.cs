using System.Diagnostics.CodeAnalysis;

namespace KprobeTrace.Probes;

/// <summary>The events that lines of the probe-event language have defined, as <c>kprobe_events</c> holds them.</summary>
internal sealed class ProbeEventSet
{
    private readonly List<ProbeEvent> _events = [];
    private readonly Dictionary<(string Group, string Name), ProbeEvent> _byName = [];
    private readonly HashSet<string> _foreign = new(StringComparer.Ordinal);
    private readonly IProbeTarget? _target;

    /// <summary>Creates an empty set whose definitions are checked against an image.</summary>
    public ProbeEventSet(IProbeTarget? target = null)
    {
        _target = target;
    }

    /// <summary>Tells the definitions that registration has passed, or refused, in a guest that was saved: what it would say now is not asked.</summary>
    public Predicate<ProbeDefinition> IsSettled { get; set; } = static _ => false;

    /// <summary>The events in order of their first definition.</summary>
    public IReadOnlyList<ProbeEvent> Events => _events;

    /// <summary>Reserves a group and name for something that is no probe event.</summary>
    public void Reserve(string group, string name) => _foreign.Add($"{group}/{name}");

    /// <summary>Finds an event.</summary>
    public ProbeEvent? Find(string group, string name) => _byName.GetValueOrDefault((group, name));

    /// <summary>Finds an event by name alone or as <c>GROUP/NAME</c>; the first match counts.</summary>
    public ProbeEvent? Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        int slash = name.IndexOf('/', StringComparison.Ordinal);
        return slash < 0
            ? _events.Find(e => e.Name == name)
            : Find(name[..slash], name[(slash + 1)..]);
    }

    /// <summary>What to ask behind the message that no event has a name; empty without an idea.</summary>
    public string AskForEvent(string name) => NearestName.Ask(name, _events.Select(e => e.Name));

    /// <summary>Carries out one line: a definition, a deletion, a comment or nothing.</summary>
    /// <param name="line">The line.</param>
    /// <param name="added">The probe it defined, null when it defined none.</param>
    /// <param name="error">Why it was refused, null when it was not.</param>
    /// <returns>False when the line was refused; the set is then unchanged.</returns>
    public bool Apply(string line, out ProbeDefinition? added, [NotNullWhen(false)] out ProbeError? error)
    {
        ArgumentNullException.ThrowIfNull(line);
        added = null;
        error = null;
        string[] words = ProbeDefinitionParser.SplitWords(line);
        if (words.Length == 0)
        {
            return true;
        }

        if (words[0][0] is '-' or '!')
        {
            error = Delete(words);
            return error is null;
        }

        if (!ProbeDefinitionParser.TryParseWords(line, _target, out ProbeDefinition? definition, out error))
        {
            return false;
        }

        error = Add(definition);
        if (error is null && definition.RegistrationError is ProbeError late && !IsSettled(definition))
        {
            Remove(definition);
            error = late;
        }

        added = error is null ? definition : null;
        return error is null;
    }

    /// <summary>Adds a definition to its event, or makes the event; returns why it may not.</summary>
    public ProbeError? Add(ProbeDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        if (_foreign.Contains($"{definition.Group}/{definition.Event}"))
        {
            return Conflict(ProbeErrorCode.EventExists, definition, 0);
        }

        ProbeEvent? existing = Find(definition.Group, definition.Event);
        if (existing is null)
        {
            ProbeEvent made = new(definition);
            _events.Add(made);
            _byName.Add((made.Group, made.Name), made);
            return null;
        }

        if (existing.IsReturn != definition.IsReturn)
        {
            return Conflict(ProbeErrorCode.ProbeTypeDiffers, definition, 0);
        }

        int differing = FirstDifference(definition.Arguments, existing.Arguments);
        if (differing >= 0)
        {
            return Conflict(ProbeErrorCode.ArgumentDiffers, definition, differing + 2);
        }

        foreach (ProbeDefinition other in existing.Probes)
        {
            if (IsSame(other, definition))
            {
                return Conflict(ProbeErrorCode.SameProbe, definition, 0);
            }
        }

        existing.Append(definition);
        return null;
    }

    /// <summary>Whether a definition is in force.</summary>
    public bool Contains(ProbeDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        return Find(definition.Group, definition.Event)?.Probes.Contains(definition) == true;
    }

    /// <summary>Removes a definition; the event goes with its last one.</summary>
    public void Remove(ProbeDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ProbeEvent? existing = Find(definition.Group, definition.Event);
        if (existing is null)
        {
            return;
        }

        existing.Remove(definition);
        if (existing.Probes.Count == 0)
        {
            _events.Remove(existing);
            _byName.Remove((existing.Group, existing.Name));
        }
    }

    private static ProbeError Conflict(ProbeErrorCode code, ProbeDefinition definition, int word)
    {
        int column = 0;
        for (int i = 0; i < word && i < definition.Words.Length; i++)
        {
            column += definition.Words[i].Length + 1;
        }

        return new ProbeError(code, ProbeErrno.Exists, definition.Command, column);
    }

    /// <summary>The first argument whose name, type or length differs, or the first one too many; -1 when none.</summary>
    private static int FirstDifference(IReadOnlyList<ProbeArgument> added, IReadOnlyList<ProbeArgument> existing)
    {
        if (added.Count != existing.Count)
        {
            return Math.Min(added.Count, existing.Count);
        }

        for (int i = 0; i < added.Count; i++)
        {
            if (added[i].Name != existing[i].Name
                || added[i].Type != existing[i].Type
                || added[i].Count != existing[i].Count)
            {
                return i;
            }
        }

        return -1;
    }

    private static bool IsSame(ProbeDefinition a, ProbeDefinition b)
    {
        if (a.Place != b.Place)
        {
            return false;
        }

        for (int i = 0; i < a.Arguments.Count; i++)
        {
            if (a.Arguments[i].Text != b.Arguments[i].Text)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Carries out <c>-:[GROUP/][EVENT] [PLACE [ARGUMENTS]]</c> or a definition with <c>!</c> before it.</summary>
    private ProbeError? Delete(string[] words)
    {
        string command = string.Join(' ', words);
        string head = words[0];
        int colon = head.IndexOf(':', StringComparison.Ordinal);
        string name = colon < 0 ? string.Empty : head[(colon + 1)..];
        if (name.Length == 0 || (head[0] == '-' && colon != 1))
        {
            return Refuse(ProbeErrno.Invalid, "a deletion is written -:GROUP/EVENT");
        }

        int slash = name.IndexOfAny(['/', '.']);
        string? group = slash < 0 ? null : name[..slash];
        string eventName = name[(slash + 1)..];
        List<ProbeDefinition> gone = [];
        foreach (ProbeEvent candidate in _events)
        {
            if ((group is null || candidate.Group == group)
                && (eventName.Length == 0 ? group is not null : candidate.Name == eventName))
            {
                gone.AddRange(candidate.Probes.Where(p => Matches(p, words)));
            }
        }

        if (gone.Count == 0)
        {
            return Refuse(ProbeErrno.NoEntry, "no such event" + AskForEvent(eventName));
        }

        gone.ForEach(Remove);
        return null;

        ProbeError Refuse(ProbeErrno errno, string detail) =>
            new(ProbeErrorCode.Unlogged, errno, command, 0, detail);
    }

    /// <summary>Whether a probe has the place and the arguments that a deletion names, if it names any.</summary>
    private static bool Matches(ProbeDefinition probe, string[] words)
    {
        if (words.Length < 2)
        {
            return true;
        }

        string place = words[1].EndsWith("%return", StringComparison.Ordinal) ? words[1][..^7] : words[1];
        if (probe.Place.ToString() != place && probe.Words[1] != words[1])
        {
            return false;
        }

        if (words.Length - 2 > probe.Arguments.Count)
        {
            return false;
        }

        for (int i = 2; i < words.Length; i++)
        {
            ProbeArgument argument = probe.Arguments[i - 2];
            if (words[i] != argument.Text && words[i] != $"{argument.Name}={argument.Text}")
            {
                return false;
            }
        }

        return true;
    }
}
