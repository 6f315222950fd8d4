namespace KprobeTrace.Files;

/// <summary>Writes a file that is there when it is whole, and until then under another name beside its own.</summary>
internal static class WholeFile
{
    /// <summary>Writes a file, in the place of one that is there, or into a device or pipe as it is.</summary>
    /// <param name="path">The file, or a symbolic link to it.</param>
    /// <param name="suffix">How the other name ends.</param>
    /// <param name="write">Writes it, into a stream without a buffer; what it throws leaves nothing behind.</param>
    /// <exception cref="KprobeTraceException">The link leads nowhere.</exception>
    public static void Write(string path, string suffix, Action<Stream> write)
    {
        string target = OutputFile.Follow(path);
        bool direct = !OutputFile.IsOrdinary(target);
        TemporaryNeighbour.RemoveLeftovers(target, suffix);
        string temporary = direct ? target : TemporaryNeighbour.Name(target, suffix);
        try
        {
            using (FileStream stream = new(temporary, FileMode.Create, FileAccess.Write, direct ? FileShare.ReadWrite : FileShare.None, bufferSize: 0))
            {
                write(stream);
            }

            if (!direct)
            {
                File.Move(temporary, target, overwrite: true);
            }
        }
        catch
        {
            if (!direct)
            {
                TemporaryNeighbour.Remove(temporary);
            }

            throw;
        }
    }
}
