namespace KprobeTrace.Tests.Mutants;

/// <summary>Faults of which somebody has argued that they change nothing. A line a fault: file, before, after, reason, between tabs.</summary>
internal sealed class ArguedFaults
{
    private readonly Dictionary<(string File, string Before, string After), string> _reasons = [];

    /// <summary>Reads a list; one that is absent is empty.</summary>
    public ArguedFaults(string path)
    {
        foreach (string line in File.Exists(path) ? File.ReadLines(path) : [])
        {
            if (line.Length > 0 && !line.StartsWith('#'))
            {
                string[] fields = line.Split('\t');
                if (fields.Length != 4)
                {
                    throw new FormatException($"{path}: not file, before, after and reason between tabs: {line}");
                }

                _reasons[(fields[0], fields[1], fields[2])] = fields[3];
            }
        }
    }

    /// <summary>Why a fault changes nothing, or null where nobody says so.</summary>
    public string? ReasonOf(Fault fault) => _reasons.GetValueOrDefault((fault.File, fault.Before, fault.After));

    /// <summary>The entries for which there is no such place any more.</summary>
    public IEnumerable<string> Stale(IEnumerable<Site> sites)
    {
        HashSet<string> files = [.. _reasons.Keys.Select(key => key.File)];
        HashSet<(string, string, string)> standing = [.. sites.Where(site => files.Contains(site.File)).Select(site => site.Fault).Select(fault => (fault.File, fault.Before, fault.After))];
        return _reasons.Keys.Where(key => !standing.Contains(key)).Select(key => $"{key.File}: {key.Before}  →  {key.After}");
    }
}
