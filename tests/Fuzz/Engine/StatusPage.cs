using System.IO.MemoryMappedFiles;

namespace KprobeTrace.Fuzz.Engine;

/// <summary>What a worker is at, in a file that both processes map, so that it outlives a crash.</summary>
internal sealed class StatusPage : IDisposable
{
    private const int Size = 4096;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    public StatusPage(string path)
    {
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.OpenOrCreate, null, Size);
        _view = _file.CreateViewAccessor(0, Size);
    }

    /// <summary>Index of the input that runs.</summary>
    public long Index
    {
        get => _view.ReadInt64(0);
        set => _view.Write(0, value);
    }

    /// <summary>Inputs that were run to their end.</summary>
    public long Done
    {
        get => _view.ReadInt64(8);
        set => _view.Write(8, value);
    }

    /// <summary>Set by a worker that ends itself because an input takes too long.</summary>
    public bool Hung
    {
        get => _view.ReadBoolean(16);
        set => _view.Write(16, value);
    }

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }
}
