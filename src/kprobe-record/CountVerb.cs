using System.IO.Enumeration;
using KprobeTrace.Machine;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Symbols;

namespace KprobeTrace.Record;

/// <summary>Runs the guest without probes and prints how often each matching function began, as the engine counted it.</summary>
internal static class CountVerb
{
    /// <summary>Instructions between two looks for a reason to stop that came while the machine stood still.</summary>
    private const long Slice = 1L << 26;

    public static int Run(RecordingOptions options, string glob, ConsoleChoice guest, TimeSpan? timeout, RecordConsole console)
    {
        using StreamWriter output = console.Results();

        // Counts go to stdout, so the guest's console does only where a file was named.
        using Stream? target = guest.Target is null ? null : guest.Open(console);
        using Stream? sink = target is null ? null : new BufferedStream(target);
        using GuestSession session = GuestSession.Open(options, value => sink?.WriteByte(value));
        List<Symbol> functions = [.. session.Symbols.All().Where(s => s.IsText && FileSystemName.MatchesSimpleExpression(glob, s.Name, ignoreCase: false))];
        if (functions.Count == 0)
        {
            throw new KprobeTraceException(!SymbolNotice.HasFunctions(session)
                ? $"no symbols were found in {session.Image.BaseName}; {SymbolNotice.Remedy}"
                : $"no function of {session.Image.BaseName} matches '{glob}'");
        }

        if (options.MaxInstructions > 0 && options.MaxInstructions < session.Retired)
        {
            throw new KprobeTraceException(Recorder.LimitBehind(options.MaxInstructions, session.Retired));
        }

        using FunctionCounts counts = new(session, functions);
        GuestEnd end = Run(session, options.MaxInstructions > 0 ? options.MaxInstructions : long.MaxValue, timeout);
        foreach ((Symbol function, long count) in counts.Counts().Where(f => f.Count > 0))
        {
            output.WriteLine($"{count,12}  {function.Address:x16}  {function.Name}");
        }

        output.Flush();
        console.Say($"{end} after {session.Machine.Retired} instructions");
        return (int)end.Status;
    }

    private static GuestEnd Run(GuestSession session, long limit, TimeSpan? timeout)
    {
        GuestMachine machine = session.Machine;
        Reason reason = new();
        using StopSignals signals = new(
            why =>
            {
                reason.Value = why;
                machine.Stop();
            },
            timeout);
        PowerState state;
        do
        {
            state = session.Run(Math.Min(limit, machine.Retired + Slice));
        }
        while (state == PowerState.Stopped && reason.Value == StopCause.None && machine.Retired < limit);

        StopCause why = reason.Value == StopCause.None ? StopCause.MaxInstructions : reason.Value;
        return new GuestEnd(RunEnding.Name(state, why), state == PowerState.TripleFault, machine.ExitValue, state == PowerState.Stuck ? session.Place() : "");
    }

    private sealed class Reason
    {
        public volatile StopCause Value;
    }
}
