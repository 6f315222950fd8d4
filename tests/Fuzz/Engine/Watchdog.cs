using System.Diagnostics;

namespace KprobeTrace.Fuzz.Engine;

/// <summary>Ends this process when an input takes too long: a thread that hangs cannot be ended otherwise.</summary>
internal sealed class Watchdog
{
    private readonly Action _beforeTheEnd;
    private long _started;

    public Watchdog(Action beforeTheEnd)
    {
        _beforeTheEnd = beforeTheEnd;
        new Thread(Watch) { IsBackground = true, Name = "watchdog" }.Start();
    }

    /// <summary>An input begins.</summary>
    public void Begin() => Volatile.Write(ref _started, Stopwatch.GetTimestamp());

    /// <summary>It has ended.</summary>
    public void End() => Volatile.Write(ref _started, 0);

    private void Watch()
    {
        while (true)
        {
            Thread.Sleep(250);
            long started = Volatile.Read(ref _started);
            if (started != 0 && Stopwatch.GetElapsedTime(started) > FuzzLimits.Time)
            {
                _beforeTheEnd();
                Process.GetCurrentProcess().Kill();
            }
        }
    }
}
