namespace KprobeTrace.Tracing;

/// <summary>A payload breaks the rules of the format; the reader turns it into a <see cref="TraceDamage"/>.</summary>
internal sealed class MalformedTraceException(string message) : Exception(message);
