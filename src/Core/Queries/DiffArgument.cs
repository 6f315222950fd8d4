namespace KprobeTrace.Queries;

/// <summary>An argument that differs between two events.</summary>
/// <param name="Name">Its name.</param>
/// <param name="A">Its value in the first run, as <c>events</c> prints it; empty where the event does not have it.</param>
/// <param name="B">Its value in the second run.</param>
public sealed record DiffArgument(string Name, string A, string B);
