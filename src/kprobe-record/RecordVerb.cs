using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using KprobeTrace.Files;
using KprobeTrace.Machine;
using KprobeTrace.Recording;
using KprobeTrace.Tools;
using KprobeTrace.Tracing;

namespace KprobeTrace.Record;

/// <summary>Records: runs the guest, shows progress, says how it went.</summary>
internal static class RecordVerb
{
    /// <summary>How a recording talks.</summary>
    internal sealed record Settings
    {
        /// <summary>Print the summary as JSON on stdout.</summary>
        public bool Json { get; init; }

        /// <summary>Print errors only.</summary>
        public bool Quiet { get; init; }

        /// <summary>Say more.</summary>
        public bool Verbose { get; init; }

        /// <summary>The user named probes, so that there are no default ones to show.</summary>
        public bool UserProbes { get; init; }

        /// <summary>When to stop, in the host's time.</summary>
        public TimeSpan? Timeout { get; init; }
    }

    public static int Run(RecordingOptions options, ConsoleChoice choice, Settings settings, RecordConsole console)
    {
        using StreamWriter? summary = settings.Json ? console.Results() : null;
        using Stream? sink = choice.Open(console);
        using Recorder recorder = Recorder.Open(options, sink);
        bool readerLeft = false;
        if (sink is StandardOutput output)
        {
            output.ReaderLeft = () =>
            {
                readerLeft = true;
                recorder.Stop(StopCause.Interrupted);
            };
        }

        if (!settings.Quiet)
        {
            SkippedProbes.Say(console, recorder, settings.Verbose);
            if (settings.UserProbes && !recorder.HasProbes)
            {
                console.Say("warning: the definitions leave no probe; only the guest's console is recorded");
            }
        }

        if (!settings.Quiet && recorder.Definitions.Count > 0 && (!settings.UserProbes || settings.Verbose))
        {
            console.Error.WriteLine(settings.UserProbes ? "kprobe-record: probes:" : "kprobe-record: no probes given; using these:");
            foreach (string definition in recorder.Definitions.Take(settings.Verbose ? int.MaxValue : 12))
            {
                console.Error.WriteLine("  " + OneLine.OfMessage(definition));
            }

            if (!settings.Verbose && recorder.Definitions.Count > 12)
            {
                console.Error.WriteLine($"  … and {recorder.Definitions.Count - 12} more (-v lists all)");
            }
        }

        if (settings.Verbose)
        {
            recorder.Session.Machine.Processors.UndefinedInstruction = (ip, bytes) =>
                console.Say($"undefined instruction at 0x{ip:x}: {Convert.ToHexString(bytes)}");
        }

        using StopSignals signals = new(recorder.Stop, settings.Timeout);
        HostTime time = new(TimeProvider.System, static () => Environment.CpuUsage.TotalTime);
        RecordProgress progress = new(console.Error, enabled: !settings.Quiet && console.ErrorIsTerminal);
        GuestMachine machine = recorder.Session.Machine;
        RunEnd end = recorder.Run(() => progress.Update(machine.Now, machine.Retired, recorder.EventCount));
        progress.Clear();
        if (readerLeft)
        {
            return (int)ExitCode.Success;
        }

        GuestEnd guest = new(end.Footer.Ended, end.Crashed, end.Footer.ExitCode, end.StuckAt);
        SayWhatBecameOfProbes(console, recorder, end, settings);
        if (summary is not null)
        {
            summary.WriteLine(ToJson(options, recorder, end, time));
        }
        else if (!settings.Quiet)
        {
            console.Say(ToText(options, end, guest, time));
        }

        return (int)guest.Status;
    }

    private static void SayWhatBecameOfProbes(RecordConsole console, Recorder recorder, RunEnd end, Settings settings)
    {
        if (settings.Verbose)
        {
            console.Error.Write("kprobe-record: probes at the end:\n" + recorder.Session.Kprobes.List());
            console.Say("hits:");
            int width = end.Hits.Select(static p => p.Name.Length).DefaultIfEmpty().Max();
            foreach (ProbeHits probe in end.Hits)
            {
                console.Error.WriteLine(string.Create(
                    CultureInfo.InvariantCulture, $"  {probe.Name.PadRight(width)}  {probe.Hits:N0} hits, {probe.Filtered:N0} filtered out"));
            }
        }

        foreach (SavePoint point in end.NotSaved)
        {
            console.Say($"warning: {point.Path} was not written: the run ended before {(point.Event is null ? $"{point.Instructions} instructions had retired" : $"event {point.Event} came")}");
        }

        foreach ((string name, string reason) in end.Refused)
        {
            console.Say($"warning: probe {name} could not be registered when its module came: {reason}");
        }
    }

    private static string ToText(RecordingOptions options, RunEnd end, GuestEnd guest, HostTime time)
    {
        TraceFooter footer = end.Footer;
        string kinds = string.Join(", ", TraceEventKinds.Names.ToArray().Select((name, i) => (name, Count: end.EventsByKind[i]))
            .Where(k => k.Count > 0)
            .Select(k => string.Create(CultureInfo.InvariantCulture, $"{k.Count:N0} {k.name}")));
        string[] silent = [.. end.NeverFired];
        string never = silent.Length == 0 ? ""
            : silent.Length <= 5 ? $"; never fired: {string.Join(", ", silent)}"
            : $"; {silent.Length} probes never fired";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{options.Output}: {end.Bytes:N0} bytes, {(kinds.Length == 0 ? "no events" : kinds)}{HitsText(end)}{never}; {guest} after {footer.Instructions:N0} instructions, {footer.TimeNs / 1e9:F3} s of its time, {time.Seconds:F1} s of ours");
    }

    /// <summary>What became of hits that are no events; nothing where all are.</summary>
    private static string HitsText(RunEnd end)
    {
        ulong hits = end.Hits.Aggregate(0UL, static (sum, p) => sum + p.Hits);
        ulong filtered = end.Hits.Aggregate(0UL, static (sum, p) => sum + p.Filtered);
        return filtered > 0 ? string.Create(CultureInfo.InvariantCulture, $" of {hits:N0} hits, {(filtered == hits ? "all" : $"{filtered:N0}")} filtered out")
            : hits > 0 && end.EventsByKind.All(static n => n == 0) ? string.Create(CultureInfo.InvariantCulture, $" of {hits:N0} hits, none of the kinds that are written")
            : "";
    }

    private static string ToJson(RecordingOptions options, Recorder recorder, RunEnd end, HostTime time)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            json.WriteString("trace", options.Output);
            json.WriteNumber("bytes", end.Bytes);
            json.WriteStartObject("events");
            for (int i = 0; i < TraceEventKinds.Names.Length; i++)
            {
                json.WriteNumber(TraceEventKinds.Names[i], end.EventsByKind[i]);
            }

            json.WriteEndObject();
            json.WriteStartObject("probes");
            foreach (IGrouping<string, ProbeHits> probes in end.Hits.GroupBy(static p => p.Name))
            {
                json.WriteStartObject(probes.Key);
                json.WriteNumber("hits", probes.Aggregate(0UL, static (sum, p) => sum + p.Hits));
                json.WriteNumber("filtered", probes.Aggregate(0UL, static (sum, p) => sum + p.Filtered));
                json.WriteEndObject();
            }

            json.WriteEndObject();
            json.WriteStartArray("never_fired");
            foreach (string name in end.NeverFired)
            {
                json.WriteStringValue(name);
            }

            json.WriteEndArray();
            json.WriteStartObject("refused");
            foreach ((string name, string reason) in end.Refused)
            {
                json.WriteString(name, reason);
            }

            json.WriteEndObject();
            WriteSkipped(json, recorder);
            json.WriteString("ended", end.Footer.Ended);
            json.WriteBoolean("crashed", end.Crashed);
            if (end.StuckAt.Length > 0)
            {
                json.WriteString("stuck_at", end.StuckAt);
            }

            json.WriteNumber("exit_value", end.Footer.ExitCode);
            json.WriteNumber("instructions", end.Footer.Instructions);
            json.WriteNumber("time_ns", end.Footer.TimeNs);
            json.WriteNumber("host_seconds", time.Seconds);
            json.WriteNumber("host_cpu_seconds", time.ProcessorSeconds);
            using (Process self = Process.GetCurrentProcess())
            {
                json.WriteNumber("host_peak_bytes", self.PeakWorkingSet64);
            }

            json.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void WriteSkipped(Utf8JsonWriter json, Recorder recorder)
    {
        json.WriteStartArray("skipped");
        foreach (SkippedProbe probe in recorder.Skipped)
        {
            json.WriteStartObject();
            json.WriteString("definition", probe.Line.Definition);
            json.WriteString("source", probe.Line.Source);
            json.WriteString("reason", probe.Error.Explain(withHint: false));
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
