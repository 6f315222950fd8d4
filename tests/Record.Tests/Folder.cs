namespace KprobeTrace.Tests.Record;

/// <summary>A folder for one test's files.</summary>
internal sealed class Folder : IDisposable
{
    /// <summary>Its full path.</summary>
    public string Name { get; } = Directory.CreateTempSubdirectory("kprobe-record-").FullName;

    /// <summary>The full path of a file in it.</summary>
    public string this[string file] => Path.Combine(Name, file);

    public void Dispose() => Directory.Delete(Name, recursive: true);
}
