using KprobeTrace.Files;
using KprobeTrace.Session;

namespace KprobeTrace.Recording;

/// <summary>Saves the guest at the points that were asked for, while it stands between two slices of the run.</summary>
internal sealed class GuestSaver
{
    private const string Unfinished = ".unfinished";

    private readonly GuestSession _session;
    private readonly List<SavePoint> _counts;
    private readonly List<SavePoint> _events;
    private readonly List<SavePoint> _due = [];

    /// <summary>Checks the points.</summary>
    /// <param name="points">Where to save.</param>
    /// <param name="session">The guest, before it runs.</param>
    /// <param name="names">The names of events.</param>
    /// <exception cref="KprobeTraceException">A point is not ahead, names no event, or has no folder for its file.</exception>
    public GuestSaver(IReadOnlyList<SavePoint> points, GuestSession session, IReadOnlyCollection<string> names)
    {
        _session = session;
        _counts = [.. points.Where(static p => p.Event is null).OrderBy(static p => p.Instructions)];
        _events = [.. points.Where(static p => p.Event is not null)];
        if (_events.Find(p => !names.Contains(p.Event!)) is SavePoint unknown)
        {
            throw new KprobeTraceException(
                $"--save-at '{Excerpt.Of(unknown.Event!)}': no probe is named so{NearestName.Ask(unknown.Event!, names)}; give an event's name or a number of instructions");
        }

        foreach (SavePoint point in points)
        {
            FileName.Require(point.Path, "file of --save-at");
            if (Directory.Exists(OutputFile.Follow(point.Path)))
            {
                throw new KprobeTraceException($"{point.Path}: is a directory; name a file with --save-at");
            }
        }

        if (points.FirstOrDefault(static p => !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(p.Path)))) is SavePoint lost)
        {
            throw new KprobeTraceException($"{lost.Path}: its folder does not exist; make it, or name another file with --save-at");
        }

        if (_counts.Count > 0 && _counts[0].Instructions < session.Retired)
        {
            throw new KprobeTraceException($"--save-at {_counts[0].Instructions}: the guest goes on from {session.Retired} instructions");
        }
    }

    /// <summary>Instructions at which the run has to stop for a point.</summary>
    public long NextStop => _counts.Count > 0 ? _counts[0].Instructions : long.MaxValue;

    /// <summary>Points that have not come.</summary>
    public IEnumerable<SavePoint> Left => _counts.Concat(_events);

    /// <summary>An event was written; true where the run has to stop behind its instruction.</summary>
    public bool Meets(string name)
    {
        int due = _due.Count;
        for (int i = _events.Count - 1; i >= 0; i--)
        {
            if (_events[i].Event == name)
            {
                _due.Add(_events[i]);
                _events.RemoveAt(i);
            }
        }

        return _due.Count > due;
    }

    /// <summary>The run stands still: saves what is due, and says whether anything was.</summary>
    /// <exception cref="KprobeTraceException">A file cannot be written.</exception>
    public bool Save()
    {
        while (_counts.Count > 0 && _counts[0].Instructions <= _session.Retired)
        {
            _due.Add(_counts[0]);
            _counts.RemoveAt(0);
        }

        bool isDue = _due.Count > 0;
        _due.ForEach(point => Write(point.Path));
        _due.Clear();
        return isDue;
    }

    private void Write(string path)
    {
        try
        {
            WholeFile.Write(path, Unfinished, stream =>
            {
                using BufferedStream buffered = new(stream, 1 << 20);
                _session.Save(buffered);
            });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KprobeTraceException($"{path}: the guest cannot be saved: {FileErrors.Reason(e)}; the trace ends there", e);
        }
    }
}
