using System.Runtime.InteropServices;

namespace KprobeTrace.Tools;

/// <summary>A descriptor that the tool was started with, on systems that have descriptors.</summary>
/// <remarks>
/// The console streams of .NET say nothing of a reader that has gone away, and cannot tell a descriptor that was closed before the
/// start from one that the runtime has opened in its place.
/// </remarks>
internal static unsafe partial class Descriptor
{
    private const int GetFlags = 3;
    private const int AccessMask = 3;
    private const int ReadOnly = 0;
    private const int WriteOnly = 1;
    private const int ReadWrite = 2;
    private const int Failed = -1;

    /// <summary>Writes all bytes, or returns the number of the error.</summary>
    internal static int Write(int descriptor, ReadOnlySpan<byte> bytes)
    {
        // SAFETY: the pointer stays within the pinned span, whose length goes with it.
        fixed (byte* start = bytes)
        {
            int done = 0;
            while (done < bytes.Length)
            {
                nint count = NativeWrite(descriptor, start + done, bytes.Length - done);
                if (count != Failed)
                {
                    done += (int)count;
                    continue;
                }

                int error = Marshal.GetLastPInvokeError();
                if (error == Errno.WouldBlock)
                {
                    Thread.Sleep(1); // someone else made it non-blocking
                }
                else if (error != Errno.Interrupted)
                {
                    return error;
                }
            }
        }

        return 0;
    }

    /// <summary>Whether the descriptor was open for writing when the process began.</summary>
    internal static bool IsOpen(int descriptor)
    {
        if (OperatingSystem.IsWindows())
        {
            return true;
        }

        return AccessOf(descriptor) is WriteOnly or ReadWrite && !IsOwnPipe(descriptor);
    }

    /// <summary>What a descriptor was opened for; none of the three where it is closed.</summary>
    private static int AccessOf(int descriptor) => Control(descriptor, GetFlags) & AccessMask;

    /// <summary>A pipe whose other end is in this process is the runtime's.</summary>
    private static bool IsOwnPipe(int descriptor)
    {
        const string folder = "/proc/self/fd";
        if (!OperatingSystem.IsLinux() || PipeName(Path.Combine(folder, $"{descriptor}")) is not { } name)
        {
            return false;
        }

        return Directory.EnumerateFiles(folder).Any(other =>
            PipeName(other) == name
            && int.TryParse(Path.GetFileName(other), out int number)
            && AccessOf(number) == ReadOnly);
    }

    private static string? PipeName(string link)
    {
        try
        {
            return new FileInfo(link).LinkTarget is { } target && target.StartsWith("pipe:", StringComparison.Ordinal) ? target : null;
        }
        catch (IOException)
        {
            return null; // closed in between
        }
    }

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint NativeWrite(int descriptor, byte* bytes, nint length);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Control(int descriptor, int command);
}
