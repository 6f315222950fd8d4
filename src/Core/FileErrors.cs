namespace KprobeTrace;

/// <summary>What a failed access to a file is called.</summary>
internal static class FileErrors
{
    /// <summary>Whether no space is left on the file's disk.</summary>
    internal static bool IsDiskFull(Exception e) => e is IOException && (e.HResult & 0xFFFF) is 28 or 112; // ENOSPC, and what Windows calls it

    /// <summary>Why a file cannot be written, without its path.</summary>
    internal static string Reason(Exception e) => e switch
    {
        _ when IsDiskFull(e) => "the disk is full",
        DirectoryNotFoundException => "its folder does not exist",
        UnauthorizedAccessException => "it or its folder may not be written",
        _ => e.Message.ReplaceLineEndings(" "),
    };
}
