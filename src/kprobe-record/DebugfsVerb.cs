using System.Text;
using KprobeTrace.Recording;
using KprobeTrace.Session;

namespace KprobeTrace.Record;

/// <summary>Prints what Linux shows in debugfs below <c>kprobes/</c>, before the guest's first instruction.</summary>
internal static class DebugfsVerb
{
    /// <summary>The file <c>list</c>: registered probes, one a line.</summary>
    public static int PrintProbes(RecordingOptions options, RecordConsole console)
    {
        using Recorder recorder = Recorder.Open(options, console: null);
        SkippedProbes.Say(console, recorder, all: false);
        foreach (string place in recorder.Pending)
        {
            console.Say($"{place} is not in the list: it waits for its module");
        }

        Write(console, recorder.Session.Kprobes.List());
        return (int)ExitCode.Success;
    }

    /// <summary>The file <c>blacklist</c>: ranges and the functions they hold.</summary>
    public static int PrintBlacklist(RecordingOptions options, RecordConsole console)
    {
        using GuestSession session = GuestSession.Open(options, _ => { });
        if (!SymbolNotice.HasFunctions(session))
        {
            throw new KprobeTraceException($"no symbols were found in {session.Image.BaseName}, so neither was its kprobe blacklist; {SymbolNotice.Remedy}");
        }

        string blacklist = session.Kprobes.ListBlacklist();
        if (blacklist.Length == 0)
        {
            console.Say($"{session.Image.BaseName} has no kprobe blacklist: every function may be probed");
        }

        Write(console, blacklist);
        return (int)ExitCode.Success;
    }

    private static void Write(RecordConsole console, string text)
    {
        using Stream output = console.OpenOutput();
        output.Write(Encoding.UTF8.GetBytes(text));
    }
}
