using KprobeTrace.Loaders;
using KprobeTrace.Recording;
using KprobeTrace.Tests.Tracing;

namespace KprobeTrace.Tests.Recording;

/// <summary>A guest that has run with probes on it: how it ended, and its trace as the second reader sees it.</summary>
internal sealed class RecordedGuest
{
    /// <summary>Bytes of memory of a guest in machine code.</summary>
    public const ulong Memory = 64 << 20;

    private RecordedGuest(RunEnd end, byte[] file, byte[] console, IReadOnlyDictionary<string, ulong> addresses)
    {
        End = end;
        File = file;
        Console = console;
        Addresses = addresses;
        Trace = PlainTrace.Read(file);
    }

    public RunEnd End { get; }

    public byte[] File { get; }

    public byte[] Console { get; }

    public PlainTrace Trace { get; }

    public IReadOnlyDictionary<string, ulong> Addresses { get; }

    public List<PlainEvent> Events => Trace.Events;

    /// <summary>Records a guest; the places of its code are symbols.</summary>
    /// <param name="guest">The guest.</param>
    /// <param name="options">What to record; image, symbols and output are filled in.</param>
    /// <param name="prepare">Called before the first instruction.</param>
    /// <param name="progress">Called between slices of the run.</param>
    public static RecordedGuest Run(FlatGuest guest, RecordingOptions options, Action<Recorder>? prepare = null, Action<Recorder>? progress = null)
    {
        byte[] code = guest.Assemble();
        DirectoryInfo folder = Directory.CreateTempSubdirectory("recorded-guest-");
        try
        {
            string symbols = Path.Combine(folder.FullName, "System.map");
            System.IO.File.WriteAllLines(symbols, guest.Addresses.OrderBy(a => a.Value).Select(a => $"{a.Value:x16} T {a.Key}"));
            return Run(
                options with
                {
                    Image = "flat.bin",
                    ImageBytes = code,
                    SymbolFile = guest.Addresses.Count > 0 ? symbols : null,
                    Load = new ImageLoadOptions { MemorySize = Memory, LoadAddress = FlatGuest.Load },
                },
                guest.Addresses,
                Path.Combine(folder.FullName, "trace.mpk"),
                prepare,
                progress);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>A guest before its first instruction, for what is there without a run; the places of its code are symbols.</summary>
    /// <param name="guest">The guest.</param>
    /// <param name="options">What to record; image and symbols are filled in.</param>
    /// <param name="map">Lines of System.map besides those of the guest's places.</param>
    public static Recorder Open(FlatGuest guest, RecordingOptions options, params string[] map)
    {
        byte[] code = guest.Assemble();
        return Open(
            options with { Image = "flat.bin", ImageBytes = code, Load = new ImageLoadOptions { MemorySize = Memory, LoadAddress = FlatGuest.Load } },
            [.. guest.Addresses.OrderBy(a => a.Value).Select(a => $"{a.Value:x16} T {a.Key}"), .. map]);
    }

    /// <summary>The same of any image.</summary>
    public static Recorder Open(RecordingOptions options, params string[] map)
    {
        string symbols = Path.GetTempFileName();
        try
        {
            System.IO.File.WriteAllLines(symbols, map);
            return Recorder.Open(options with { SymbolFile = map.Length > 0 ? symbols : null }, console: null);
        }
        finally
        {
            System.IO.File.Delete(symbols);
        }
    }

    /// <summary>Records an image that brings its own symbols.</summary>
    public static RecordedGuest Run(byte[] image, RecordingOptions options, Action<Recorder>? prepare = null, Action<Recorder>? progress = null)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("recorded-guest-");
        try
        {
            return Run(
                options with { Image = "vmlinux", ImageBytes = image, Load = options.Load with { MemorySize = 32 << 20 } },
                new Dictionary<string, ulong>(),
                Path.Combine(folder.FullName, "trace.mpk"),
                prepare,
                progress);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static RecordedGuest Run(
        RecordingOptions options, IReadOnlyDictionary<string, ulong> addresses, string output, Action<Recorder>? prepare, Action<Recorder>? progress)
    {
        MemoryStream console = new();
        using Recorder recorder = Recorder.Open(options with { Output = output }, console);
        prepare?.Invoke(recorder);
        RunEnd end = recorder.Run(progress is null ? null : () => progress(recorder));
        return new RecordedGuest(end, System.IO.File.ReadAllBytes(output), console.ToArray(), addresses);
    }
}
