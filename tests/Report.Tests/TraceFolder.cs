namespace KprobeTrace.Tests.Report;

/// <summary>A folder of its own for a test's traces and databases.</summary>
internal sealed class TraceFolder : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("kprobe-report-").FullName;

    internal string this[string name] => Path.Combine(_path, name);

    /// <summary>Writes the trace of a history and returns its path; <see cref="TraceText"/> has the language.</summary>
    internal string Trace(string history, string name = "t.mpk") => TraceText.Parse(history).Write(this[name]);

    public void Dispose() => Directory.Delete(_path, recursive: true);
}
