using System.Globalization;
using KprobeTrace.Loaders;
using KprobeTrace.Recording;

namespace KprobeTrace.Fuzz.Soak;

/// <summary>What a soak runs and for how long.</summary>
internal sealed record SoakOptions
{
    /// <summary>Probes whose arguments are strings, whose events carry stacks, which wait for returns.</summary>
    private static readonly string[] _probes =
    [
        "p:fork kernel_clone stack",
        "p:open do_sys_openat2 dfd=%di name=+0(%si):ustring stack",
        "r:open_ret do_sys_openat2 ret=$retval comm=$comm",
        "p:exec bprm_execve comm=$comm",
    ];

    /// <summary>The recording.</summary>
    public required RecordingOptions Recording { get; init; }

    /// <summary>Host time it takes.</summary>
    public required TimeSpan Time { get; init; }

    /// <summary>Host time between two samples.</summary>
    public required TimeSpan Interval { get; init; }

    /// <summary>Reads <c>KERNEL INITRAMFS TRACE MINUTES [INTERVAL-SECONDS]</c>.</summary>
    internal static SoakOptions Parse(string[] args)
    {
        if (args.Length is < 4 or > 5)
        {
            throw new KprobeTraceException("soak takes KERNEL INITRAMFS TRACE MINUTES [SECONDS BETWEEN SAMPLES]; see bench/soak.sh");
        }

        double minutes = double.Parse(args[3], CultureInfo.InvariantCulture);
        double interval = args.Length > 4 ? double.Parse(args[4], CultureInfo.InvariantCulture) : Math.Max(5, minutes * 60 / 40);
        return new SoakOptions
        {
            Time = TimeSpan.FromMinutes(minutes),
            Interval = TimeSpan.FromSeconds(interval),
            Recording = new RecordingOptions
            {
                Image = args[0],
                Output = args[2],
                Probes = _probes,
                Load = new ImageLoadOptions
                {
                    InitrdPath = args[1],
                    MemorySize = 128UL << 20,
                    CommandLine = "console=ttyS0 panic=-1",
                },
                Producer = "soak",
            },
        };
    }
}
