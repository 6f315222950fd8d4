using System.Globalization;
using System.Runtime.InteropServices;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>A thread whose system calls a signal interrupts, which none of the runtime's own signals does.</summary>
internal sealed partial class InterruptedThread : IDisposable
{
    // SIGURG, which is ignored where nobody handles it.
    private const int Signal = 23;

    private readonly nint _before;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _started = new();
    private Exception? _failure;
    private int _id;

    /// <summary>Starts it.</summary>
    public InterruptedThread(Action action)
    {
        // Any function that may be called at any time is a handler; without SA_RESTART a call that waits ends with EINTR behind it.
        _before = Handle(Signal, NativeLibrary.GetExport(NativeLibrary.GetMainProgramHandle(), "abs"));
        Assert.Equal(0, MakeInterrupt(Signal, 1));
        _thread = new Thread(() =>
        {
            _id = CurrentThread();
            _started.Set();
            try
            {
                action();
            }
            catch (Exception e)
            {
                _failure = e;
            }
        });
        _thread.Start();
        _started.Wait();
    }

    /// <summary>Sends it the signal as soon as it waits for something.</summary>
    public void Interrupt()
    {
        while (_thread.IsAlive && !Waits())
        {
            Thread.Yield();
        }

        _ = SendToThread(Environment.ProcessId, _id, Signal);
    }

    /// <summary>Waits for its end; what it threw is thrown.</summary>
    public void Join()
    {
        _thread.Join();
        Assert.Null(_failure);
    }

    public void Dispose()
    {
        _thread.Join();
        _ = Handle(Signal, _before);
        _started.Dispose();
    }

    private bool Waits()
    {
        try
        {
            string status = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/self/task/{_id}/stat"));
            return status[(status.LastIndexOf(')') + 2)..].StartsWith('S');
        }
        catch (IOException)
        {
            return false; // it has ended
        }
    }

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint Handle(int signal, nint handler);

    [LibraryImport("libc", EntryPoint = "siginterrupt")]
    private static partial int MakeInterrupt(int signal, int flag);

    [LibraryImport("libc", EntryPoint = "gettid")]
    private static partial int CurrentThread();

    [LibraryImport("libc", EntryPoint = "tgkill")]
    private static partial int SendToThread(int process, int thread, int signal);
}
