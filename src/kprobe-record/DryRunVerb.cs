using KprobeTrace.Cpu.Decode;
using KprobeTrace.Kprobes;
using KprobeTrace.Recording;
using KprobeTrace.Session;

namespace KprobeTrace.Record;

/// <summary>Checks image and probes and prints where each lands.</summary>
internal static class DryRunVerb
{
    public static int Run(RecordingOptions options, RecordConsole console)
    {
        using Recorder recorder = Recorder.Open(options, console: null);
        SkippedProbes.Say(console, recorder, all: true);
        using StreamWriter output = console.Results();
        GuestSession session = recorder.Session;
        InstructionLengthDecoder decoder = new();
        output.WriteLine($"image    {session.Image.BaseName} ({session.Image.Kind}), sha256 {session.Image.Sha256}");
        if (!string.IsNullOrEmpty(session.Image.KernelRelease))
        {
            output.WriteLine($"kernel   {session.Image.KernelRelease}");
        }

        output.WriteLine($"entry    0x{session.Image.EntryLink:x}");
        output.WriteLine($"symbols  {session.Symbols.Count}, {session.Symbols.All().Count(symbol => symbol.IsText)} of them functions");
        output.WriteLine($"types    {(session.Types is null ? "none" : $"{session.Types.Count - 1} of BTF")}");
        foreach (Kprobe probe in session.Kprobes.Probes())
        {
            bool isReturn = probe.ReturnProbe is not null;
            output.WriteLine(
                $"{(isReturn ? 'r' : 'p')}  {probe.Addr:x16}  {session.Symbols.Format(probe.Addr)}  {decoder.Format(probe.Addr, probe.CopiedInstruction.Span)}");
        }

        foreach (string place in recorder.Pending)
        {
            output.WriteLine($"-  {"(pending)",-16}  {place}  waits for its module");
        }

        return (int)ExitCode.Success;
    }
}
