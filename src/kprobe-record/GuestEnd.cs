using KprobeTrace.Recording;

namespace KprobeTrace.Record;

/// <summary>How the guest ended, in the words of the closing line and as an exit status.</summary>
/// <param name="Ended">The word of <see cref="RunEnding"/>.</param>
/// <param name="Crashed">Whether the kernel crashed.</param>
/// <param name="ExitValue">What the guest wrote to the exit port.</param>
/// <param name="StuckAt">Where it is stuck, if it is.</param>
internal sealed record GuestEnd(string Ended, bool Crashed, long ExitValue, string StuckAt)
{
    /// <summary>The exit status of the tool.</summary>
    public ExitCode Status =>
        Crashed || Ended == "stuck" || (Ended == "exit" && ExitValue != 0) ? ExitCode.GuestFailed
        : RunEnding.IsLimit(Ended) ? ExitCode.LimitReached
        : ExitCode.Success;

    /// <inheritdoc/>
    public override string ToString() => Ended switch
    {
        "poweroff" => "the guest powered off",
        "halt" => "the guest halted for good",
        "reset" => Crashed ? "the guest panicked and reset" : "the guest reset",
        "triple-fault" => "the guest crashed with a triple fault",
        "stuck" => $"the guest is stuck at {StuckAt}, busy without retiring an instruction,",
        "exit" => $"the guest exited with {ExitValue}",
        "interrupted" => "interrupted",
        string limit => $"stopped by --{limit}",
    };
}
