using System.Runtime.InteropServices;
using KprobeTrace.Recording;

namespace KprobeTrace.Record;

/// <summary>Makes Ctrl-C, a closed terminal, a polite kill and the time limit end a run in good order.</summary>
/// <remarks>A signal that is ignored from the start, as <c>nohup</c> does with SIGHUP, stays ignored: the runtime sees to that.</remarks>
internal sealed class StopSignals : IDisposable
{
    private static readonly PosixSignal[] _signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT];

    private readonly List<IDisposable> _parts = [];

    /// <param name="stop">Ends the run; called on another thread.</param>
    /// <param name="timeout">The limit of the host's time, if there is one.</param>
    public StopSignals(Action<StopCause> stop, TimeSpan? timeout)
    {
        foreach (PosixSignal signal in _signals)
        {
            _parts.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                stop(StopCause.Interrupted);
            }));
        }

        if (timeout is TimeSpan limit)
        {
            _parts.Add(new Timer(_ => stop(StopCause.Timeout), null, limit, Timeout.InfiniteTimeSpan));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _parts.ForEach(p => p.Dispose());
}
