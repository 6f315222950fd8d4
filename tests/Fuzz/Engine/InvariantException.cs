namespace KprobeTrace.Fuzz.Engine;

/// <summary>Something that must hold for every input does not.</summary>
internal sealed class InvariantException(string message) : Exception(message)
{
    /// <summary>Requires a condition.</summary>
    public static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new InvariantException(otherwise);
        }
    }
}
