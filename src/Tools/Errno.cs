namespace KprobeTrace.Tools;

/// <summary>Numbers of system errors, as <c>HResult</c> of an <see cref="IOException"/> has them in its low half.</summary>
internal static class Errno
{
    internal const int Interrupted = 4;
    internal const int BadDescriptor = 9;
    internal const int NoSpace = 28;
    internal const int BrokenPipe = 32;

    /// <summary>EAGAIN.</summary>
    internal static int WouldBlock => OperatingSystem.IsMacOS() ? 35 : 11;

    /// <summary>The number of an exception's error.</summary>
    internal static int Of(IOException e) => e.HResult & 0xFFFF;
}
