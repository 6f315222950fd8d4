using System.Text;

namespace KprobeTrace.Queries;

/// <summary>Numbers for what two runs have in common: events of a probe, groups of tasks.</summary>
internal sealed class DiffNames
{
    private const int MaxGroups = 4096;

    private readonly Dictionary<(string Key, int Kind), int> _tokens = [];
    private readonly Dictionary<(int Token, string Caller), int> _calls = [];
    private readonly List<int> _tokenOfCall = [];
    private readonly Dictionary<string, int> _groups = [];

    /// <summary>Number of groups of tasks.</summary>
    internal int GroupCount => _groups.Count;

    /// <summary>The number of an event of a probe.</summary>
    internal int Token(string key, int kind)
    {
        if (!_tokens.TryGetValue((key, kind), out int token))
        {
            _tokens.Add((key, kind), token = _tokens.Count);
        }

        return token;
    }

    /// <summary>The number of an event of a probe that was reached from <paramref name="caller"/>.</summary>
    internal int Call(int token, string caller)
    {
        if (!_calls.TryGetValue((token, caller), out int call))
        {
            _calls.Add((token, caller), call = _calls.Count);
            _tokenOfCall.Add(token);
        }

        return call;
    }

    /// <summary>Replaces numbers of calls by those of the events that were called.</summary>
    internal void ForgetCallers(int[] calls)
    {
        for (int i = 0; i < calls.Length; i++)
        {
            calls[i] = _tokenOfCall[calls[i]];
        }
    }

    /// <summary>
    /// The group a task belongs to by its name. Digits do not count: which of many kernel workers does a piece of work
    /// is chance between two kernels.
    /// </summary>
    internal int Group(string comm)
    {
        StringBuilder name = new();
        foreach (char c in comm)
        {
            if (!char.IsAsciiDigit(c))
            {
                _ = name.Append(c);
            }
            else if (name.Length == 0 || name[^1] != '#')
            {
                _ = name.Append('#');
            }
        }

        string key = name.ToString();
        if (!_groups.TryGetValue(key, out int group))
        {
            // The last group takes whoever comes once there are more names than any guest has.
            group = Math.Min(_groups.Count, MaxGroups - 1);
            if (_groups.Count < MaxGroups)
            {
                _groups.Add(key, group);
            }
        }

        return group;
    }
}
