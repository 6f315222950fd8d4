namespace KprobeTrace.Probes;

/// <summary>A member of a structure.</summary>
/// <param name="Type">Its type.</param>
/// <param name="BitOffset">Its distance from the structure's start, in bits.</param>
/// <param name="BitSize">Its width in bits when it is a bit field, else 0.</param>
internal readonly record struct ProbeMember(int Type, int BitOffset, int BitSize);
