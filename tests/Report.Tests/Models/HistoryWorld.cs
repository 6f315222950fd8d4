namespace KprobeTrace.Tests.Report.Models;

/// <summary>What there is before anything happens: functions, probes, tasks, processors.</summary>
internal sealed record HistoryWorld
{
    /// <summary>The functions, by address.</summary>
    public required IReadOnlyList<HistoryFunction> Functions { get; init; }

    /// <summary>The probes; each's id is its place in the list.</summary>
    public required IReadOnlyList<HistoryProbe> Probes { get; init; }

    /// <summary>The tasks; null stands for a guest that has none yet.</summary>
    public required IReadOnlyList<HistoryTask?> Tasks { get; init; }

    /// <summary>How many processors there are.</summary>
    public required int Cpus { get; init; }

    /// <summary>The image's name; runs of one name are runs of one image.</summary>
    public string Image { get; init; } = "vmlinuz";

    /// <summary>The kernel's command line.</summary>
    public string CommandLine { get; init; } = "";
}
