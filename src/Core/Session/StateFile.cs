using KprobeTrace.Files;
using KprobeTrace.Machine;

namespace KprobeTrace.Session;

/// <summary>A saved guest in a file: first its image is asked for, then the whole is loaded into a machine that was built for it.</summary>
internal sealed class StateFile : IDisposable
{
    private readonly FileStream _file;
    private readonly string _path;

    private StateFile(FileStream file, string path)
    {
        _file = file;
        _path = path;
        Image = Read(() => SavedImage.Read(StateRecordReader.Find(Buffered(), SavedImage.RecordName)));
    }

    /// <summary>Which image it is of.</summary>
    public SavedImage Image { get; }

    /// <summary>Opens a file and reads which image its guest was opened with.</summary>
    /// <exception cref="KprobeTraceException">It is not there, cannot be read, or is no saved state of this version.</exception>
    public static StateFile Open(string path)
    {
        FileStream file = InputFile.Open(path, "saved state");
        try
        {
            return file.CanSeek ? new StateFile(file, path) : throw new KprobeTraceException($"{path}: is a pipe, and a saved state is read twice; give it as a file");
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Loads all of it.</summary>
    /// <exception cref="KprobeTraceException">It is damaged, or cannot be read.</exception>
    public void Load(GuestSession session) => Read(() =>
    {
        session.Machine.Load(Buffered(), session.Knowledge());
        return true;
    });

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private BufferedStream Buffered()
    {
        _file.Position = 0;
        return new BufferedStream(_file, 1 << 20);
    }

    /// <summary>Has errors say which file it is.</summary>
    private T Read<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (KprobeTraceException e)
        {
            throw new KprobeTraceException($"{_path}: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KprobeTraceException($"{_path}: cannot read the saved state: {FileErrors.Reason(e)}", e);
        }
    }
}
