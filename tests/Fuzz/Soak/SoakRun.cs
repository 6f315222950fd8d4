using System.Diagnostics;
using System.Globalization;
using KprobeTrace.Recording;

namespace KprobeTrace.Fuzz.Soak;

/// <summary>Records a guest that never ends, prints the memory it takes by interval, and fails when that grows.</summary>
internal sealed class SoakRun
{
    /// <summary>Growth of the emulator's own memory that is still called flat, in bytes an hour.</summary>
    private const double MostAnHour = 4 << 20;

    /// <summary>Growth of live objects that is still called flat, in bytes an hour.</summary>
    private const double MostHeapAnHour = 1 << 20;

    private readonly SoakOptions _options;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly List<(double Minutes, HostMemory Memory)> _samples = [];
    private readonly TextWriter _output;
    private IReadOnlyDictionary<string, long>? _firstCounts;
    private IReadOnlyDictionary<string, long>? _lastCounts;
    private TimeSpan _next;

    internal SoakRun(SoakOptions options, TextWriter output)
    {
        _options = options;
        _output = output;
    }

    /// <summary>Runs for as long as was asked; true when memory stayed flat.</summary>
    internal bool Run()
    {
        using Recorder recorder = Recorder.Open(_options.Recording, Stream.Null);
        _output.WriteLine("minutes  guest s     events  trace MB   RSS MB  guest MB   own MB  heap MB   entries");
        recorder.Run(() => Look(recorder));
        Sample(recorder);
        return Judge();
    }

    private void Look(Recorder recorder)
    {
        if (_clock.Elapsed >= _options.Time)
        {
            recorder.Stop(StopCause.Timeout);
        }
        else if (_clock.Elapsed >= _next)
        {
            Sample(recorder);
            _next = _clock.Elapsed + _options.Interval;
        }
    }

    private void Sample(Recorder recorder)
    {
        IReadOnlyDictionary<string, long> counts = HeldEntries.Count(recorder);
        HostMemory memory = HostMemory.Measure(recorder.Session.Machine.Memory);
        double minutes = _clock.Elapsed.TotalMinutes;
        _samples.Add((minutes, memory));

        // The first third warms up: code is compiled, caches fill, every function has been called once.
        _firstCounts ??= _clock.Elapsed >= _options.Time / 3 ? counts : null;
        _lastCounts = counts;
        _output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{minutes,7:f1} {recorder.Session.Machine.Now / 1e9,8:f1} {recorder.EventCount,10} {TraceBytes() / 1e6,9:f1} {memory.Resident / 1e6,8:f1} {memory.Guest / 1e6,9:f1} {memory.Own / 1e6,8:f1} {memory.Heap / 1e6,8:f2} {counts.Where(c => c.Key[^1] == '#').Sum(c => c.Value),9}"));
        _output.Flush();
    }

    private long TraceBytes() => File.Exists(_options.Recording.Output) ? new FileInfo(_options.Recording.Output).Length : 0;

    private bool Judge()
    {
        (double Minutes, HostMemory Memory)[] settled = [.. _samples.Where(s => s.Minutes >= _options.Time.TotalMinutes / 3)];
        double own = SlopeAnHour(settled, m => m.Own);
        double heap = SlopeAnHour(settled, m => m.Heap);
        bool flat = own <= MostAnHour && heap <= MostHeapAnHour;
        _output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"after the first third: own memory {own / 1024:+0.0;-0.0} KB an hour (at most {MostAnHour / 1024:f0}), heap {heap / 1024:+0.0;-0.0} KB an hour (at most {MostHeapAnHour / 1024:f0}): {(flat ? "flat" : "GROWS")}"));
        foreach ((string path, long count) in (_lastCounts ?? new Dictionary<string, long>()).OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            long before = _firstCounts?.GetValueOrDefault(path) ?? count;
            if (count > before)
            {
                _output.WriteLine($"  grew: {path} {before} -> {count}");
            }
        }

        return flat;
    }

    /// <summary>Slope of the line of least squares through the samples, in bytes an hour.</summary>
    private static double SlopeAnHour((double Minutes, HostMemory Memory)[] samples, Func<HostMemory, long> value)
    {
        if (samples.Length < 2)
        {
            return 0;
        }

        double middleTime = samples.Average(s => s.Minutes);
        double middle = samples.Average(s => (double)value(s.Memory));
        double above = samples.Sum(s => (s.Minutes - middleTime) * (value(s.Memory) - middle));
        double below = samples.Sum(s => (s.Minutes - middleTime) * (s.Minutes - middleTime));
        return below == 0 ? 0 : above / below * 60;
    }
}
