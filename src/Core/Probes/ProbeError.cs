using System.Globalization;

namespace KprobeTrace.Probes;

/// <summary>Why a definition was refused and at which column, as ftrace reports it.</summary>
public sealed class ProbeError
{
    private readonly Func<string>? _hint;

    /// <summary>Creates an error of a command at a column.</summary>
    /// <param name="code">The reason.</param>
    /// <param name="errno">The error number a write to <c>kprobe_events</c> would fail with.</param>
    /// <param name="command">The definition's words, joined by single blanks.</param>
    /// <param name="column">The offending column of the command, from 0.</param>
    /// <param name="detail">What else is known; shown behind the message by our tools, never in the log form.</param>
    /// <param name="hint">Makes what is shown behind the detail; asked only when it is shown, since it may be costly.</param>
    public ProbeError(
        ProbeErrorCode code, ProbeErrno errno, string command, int column, string? detail = null, Func<string>? hint = null)
    {
        _hint = hint;
        ArgumentNullException.ThrowIfNull(command);
        Code = code;
        Errno = errno;
        Command = command;
        Column = column;
        Detail = detail is null ? null : Excerpt.Of(detail);
    }

    /// <summary>The reason.</summary>
    public ProbeErrorCode Code { get; }

    /// <summary>The error number, positive.</summary>
    public ProbeErrno Errno { get; }

    /// <summary>The definition's words, joined by single blanks.</summary>
    public string Command { get; }

    /// <summary>The offending column of <see cref="Command"/>, from 0.</summary>
    public int Column { get; }

    /// <summary>What else is known, shortened where it is long; null when nothing is.</summary>
    public string? Detail { get; }

    /// <summary>ftrace's message.</summary>
    public string Message => ProbeErrorText.Of(Code);

    /// <summary>False for the few refusals for which the kernel leaves no entry in its <c>error_log</c>.</summary>
    public bool IsLogged => Code != ProbeErrorCode.Unlogged;

    /// <summary>The entry of <c>error_log</c>: message, command, caret; empty when the kernel logs none.</summary>
    /// <param name="nanoseconds">The time shown in the entry.</param>
    public string ToErrorLog(ulong nanoseconds = 0)
    {
        if (!IsLogged)
        {
            return string.Empty;
        }

        string time = string.Create(
            CultureInfo.InvariantCulture, $"[{nanoseconds / 1_000_000_000,5}.{nanoseconds / 1000 % 1_000_000:D6}]");
        return $"{time} trace_kprobe: error: {Message}\n  Command: {Command}\n{new string(' ', 11 + Column)}^\n";
    }

    /// <summary>The message and, in parentheses, what else is known.</summary>
    /// <param name="withHint">Whether to think of what may have been meant, which takes some time.</param>
    public string Explain(bool withHint)
    {
        string known = Detail + (withHint ? _hint?.Invoke() : null);
        return known.Length == 0 ? Message : $"{Message} ({known})";
    }

    /// <summary>The definition, or what surrounds the column of a long one, a caret under the column and the message: what the tools print.</summary>
    public override string ToString() => Excerpt.WithCaret(Command, Column, Explain(withHint: true));

    /// <summary>The error of a definition whose registration the subsystem refused.</summary>
    /// <param name="definition">The definition.</param>
    /// <param name="errno">The negative error number of the registration.</param>
    /// <param name="reason">The subsystem's reason.</param>
    internal static ProbeError OfRegistration(ProbeDefinition definition, int errno, string? reason)
    {
        ArgumentNullException.ThrowIfNull(definition);
        (ProbeErrorCode code, ProbeErrno number) = errno switch
        {
            -84 => (ProbeErrorCode.NotInstructionBoundary, ProbeErrno.IllegalSequence),
            -2 => (ProbeErrorCode.BadProbeAddress, ProbeErrno.NoEntry),
            -99 => (ProbeErrorCode.SymbolNotUnique, ProbeErrno.AddressNotAvailable),
            _ => (ProbeErrorCode.RegistrationFailed, ProbeErrno.Invalid),
        };
        return new ProbeError(code, number, definition.Command, definition.PlaceColumn, reason);
    }
}
