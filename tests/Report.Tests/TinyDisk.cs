namespace KprobeTrace.Tests.Report;

/// <summary>A file system in memory that is soon full.</summary>
internal sealed class TinyDisk : IDisposable
{
    private readonly string _folder;

    internal TinyDisk(string folder, string size)
    {
        _folder = folder;
        _ = Directory.CreateDirectory(folder);
        _ = ProgramFactAttribute.Run("mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", folder);
    }

    internal void MakeReadOnly() => ProgramFactAttribute.Run("mount", "-o", "remount,ro", _folder);

    public void Dispose() => ProgramFactAttribute.Run("umount", _folder);
}
