using System.Globalization;
using System.Runtime.InteropServices;

namespace KprobeTrace;

/// <summary>What a failed access to a file is called: the runtime's own words are for programmers.</summary>
internal static class FileErrors
{
    private const int NoSpace = 28;
    private const int DiskFullOnWindows = 112;

    /// <summary>Whether no space is left on the file's disk.</summary>
    public static bool IsDiskFull(Exception e) => e is IOException && NumberOf(e) is NoSpace or DiskFullOnWindows;

    /// <summary>Why a file cannot be written, or read where it was opened, without its path.</summary>
    public static string Reason(Exception e) => e switch
    {
        _ when IsDiskFull(e) => "the disk is full",
        PlainIOException => e.Message,
        DirectoryNotFoundException => "its folder does not exist",
        FileNotFoundException => "it is not there",
        PathTooLongException => "its name is longer than a file's name may be",
        UnauthorizedAccessException => "it or its folder may not be written",
        IOException => Named(NumberOf(e)),
        NotSupportedException => "it is no file of a kind that this can be done with",
        _ => "the system refuses it",
    };

    /// <summary>The system's number of an error; the runtime has it in the low half of <c>HResult</c>, or else numbers of its own.</summary>
    private static int NumberOf(Exception e) => e.HResult & 0xFFFF;

    private static string Named(int number) => OperatingSystem.IsLinux() ? OnLinux(number) : Other(number);

    /// <summary>Numbers of the generic table that x86 and Arm share (asm-generic/errno.h).</summary>
    private static string OnLinux(int number) => number switch
    {
        5 => "the disk or device reports an error",
        6 or 19 => "no device answers there",
        11 or 16 or 26 => "another program uses it",
        17 => "it exists already",
        20 => "a part of its path is no folder",
        21 => "it is a directory",
        23 or 24 => "too many files are open (ulimit -n)",
        27 => "it would become larger than files may be (ulimit -f)",
        29 => "it is a pipe, not a file",
        30 => "its file system may only be read",
        32 => "its reader has gone away",
        36 => "its name is longer than a file's name may be",
        40 => "its symbolic links lead in a circle",
        116 => "its file server no longer has it",
        122 => "the disk quota is used up",
        _ => Other(number),
    };

    private static string Other(int number) => number is > 0 and < 200
        ? string.Create(CultureInfo.InvariantCulture, $"{Marshal.GetPInvokeErrorMessage(number)} (error {number})")
        : "the system refuses it";
}
