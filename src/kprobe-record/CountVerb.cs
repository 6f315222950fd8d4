using System.IO.Enumeration;
using KprobeTrace.Machine;
using KprobeTrace.Recording;
using KprobeTrace.Symbols;

namespace KprobeTrace.Record;

/// <summary>Runs the guest without probes and prints how often each matching function began, as the engine counted it.</summary>
internal static class CountVerb
{
    public static int Run(RecordingOptions options, string glob, ConsoleChoice console, TimeSpan? timeout)
    {
        // Counts go to stdout, so the guest's console does only where a file was named.
        using Stream? target = console.Target is null ? null : console.Open();
        using Stream? sink = target is null ? null : new BufferedStream(target);
        using GuestSession session = GuestSession.Open(options, value => sink?.WriteByte(value));
        List<Symbol> functions = [.. session.Symbols.All().Where(s => s.IsText && FileSystemName.MatchesSimpleExpression(glob, s.Name, ignoreCase: false))];
        if (functions.Count == 0)
        {
            throw new KprobeTraceException($"no function of {session.Image.BaseName} matches '{glob}'");
        }

        using FunctionCounts counts = new(session, functions);
        using Timer? timer = timeout is TimeSpan limit ? new Timer(_ => session.Machine.Stop(), null, limit, Timeout.InfiniteTimeSpan) : null;
        PowerState state = session.Machine.Run(options.MaxInstructions > 0 ? options.MaxInstructions : long.MaxValue);
        using StreamWriter output = new(Console.OpenStandardOutput(), bufferSize: 1 << 16);
        foreach ((Symbol function, long count) in counts.Counts().Where(f => f.Count > 0))
        {
            output.WriteLine($"{count,12}  {function.Address:x16}  {function.Name}");
        }

        Console.Error.WriteLine($"kprobe-record: {state} after {session.Machine.Retired} instructions");
        return (int)(state is PowerState.TripleFault or PowerState.Stuck ? ExitCode.GuestCrashed : ExitCode.Success);
    }
}
