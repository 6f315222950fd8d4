namespace KprobeTrace.Kprobes;

/// <summary>The outcome of a call: the kernel's error number and, for a refusal, why.</summary>
/// <param name="Errno">0, or a negative error number of <see cref="KprobeErrno"/>.</param>
/// <param name="Reason">One line for a user; empty on success.</param>
public readonly record struct KprobeResult(int Errno, string Reason)
{
    /// <summary>The outcome of a call that did what was asked.</summary>
    public static KprobeResult Success { get; } = new(KprobeErrno.None, string.Empty);

    /// <summary>True when the error number is 0.</summary>
    public bool IsSuccess => Errno == KprobeErrno.None;

    internal static KprobeResult Invalid(string reason) => new(KprobeErrno.Invalid, reason);

    internal static KprobeResult NoEntry(string reason) => new(KprobeErrno.NoEntry, reason);
}
