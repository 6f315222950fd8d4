using System.Diagnostics;
using KprobeTrace.Kprobes;
using KprobeTrace.Loaders;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Symbols;

namespace KprobeTrace.Bench;

/// <summary>What probes cost that are armed and never hit: stock boots with and without them, in turn.</summary>
internal sealed class ArmedCost(string kernel, string initramfs)
{
    /// <summary>CPU seconds of the boots without and with so many probes, each series in rising order.</summary>
    public (List<double> Plain, List<double> Armed) Measure(int probes, int rounds)
    {
        List<ulong> idle = IdleFunctions(probes);
        List<double> plain = [];
        List<double> armed = [];
        Boot(idle);
        for (int round = 0; round < rounds; round++)
        {
            // Which goes first changes, so that neither always profits from what the runtime compiled meanwhile.
            bool plainFirst = round % 2 == 0;
            (plainFirst ? plain : armed).Add(Boot(plainFirst ? [] : idle));
            (plainFirst ? armed : plain).Add(Boot(plainFirst ? idle : []));
        }

        plain.Sort();
        armed.Sort();
        return (plain, armed);
    }

    private GuestSession Open()
    {
        ImageLoadOptions load = new() { CommandLine = "console=ttyS0 panic=-1", InitrdPath = initramfs };
        return GuestSession.Open(new RecordingOptions { Image = kernel, Load = load }, _ => { });
    }

    /// <summary>Functions that a boot never runs, evenly across the image.</summary>
    private List<ulong> IdleFunctions(int wanted)
    {
        using GuestSession session = Open();
        List<Symbol> functions = [.. session.Symbols.All().DistinctBy(s => s.Address).Where(s => s.IsText && session.Kprobes.CanProbe(s.Address).IsSuccess)];
        using FunctionCounts counts = new(session, functions);
        session.Machine.Run();
        List<ulong> idle = [.. counts.Counts().Where(c => c.Count == 0).Select(c => c.Function.Address)];
        return [.. Enumerable.Range(0, wanted).Select(i => idle[(int)((long)i * idle.Count / wanted)])];
    }

    private double Boot(List<ulong> probes)
    {
        using GuestSession session = Open();
        foreach (ulong address in probes)
        {
            session.Kprobes.RegisterKprobe(new Kprobe { Addr = address, PreHandler = (_, ref _) => throw new InvalidOperationException("a probe was hit") });
        }

        using Process process = Process.GetCurrentProcess();
        TimeSpan before = process.TotalProcessorTime;
        session.Machine.Run();
        process.Refresh();
        return (process.TotalProcessorTime - before).TotalSeconds;
    }
}
