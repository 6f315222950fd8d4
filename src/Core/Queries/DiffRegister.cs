namespace KprobeTrace.Queries;

/// <summary>A register that differs between two events.</summary>
/// <param name="Name">Its name.</param>
/// <param name="A">Its value in the first run.</param>
/// <param name="B">Its value in the second run.</param>
public sealed record DiffRegister(string Name, ulong A, ulong B);
