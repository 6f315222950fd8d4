namespace KprobeTrace.Files;

/// <summary>Bytes at a fixed place that tell a kind of file.</summary>
/// <param name="Offset">Where they stand.</param>
/// <param name="Magic">The bytes, one a character (Latin-1).</param>
/// <param name="Kind">The kind.</param>
internal sealed record FileSignature(int Offset, string Magic, FileKind Kind)
{
    /// <summary>True where the bytes stand in a file.</summary>
    internal bool Matches(ReadOnlySpan<byte> file)
    {
        if (file.Length < Offset + Magic.Length)
        {
            return false;
        }

        for (int i = 0; i < Magic.Length; i++)
        {
            if (file[Offset + i] != Magic[i])
            {
                return false;
            }
        }

        return true;
    }
}
