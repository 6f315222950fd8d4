namespace KprobeTrace.Tests.Oracle;

/// <summary>The contents of the test pages before a case's patches: the same on both sides.</summary>
internal static class PristineMemory
{
    public static byte[] Writable { get; } = Create(0x5ee1, (int)OracleLayout.WritableSize);

    public static byte[] ReadOnly { get; } = Create(0x5ee2, (int)OracleLayout.PageSize);

    private static byte[] Create(ulong seed, int size)
    {
        var random = new SeededRandom(seed);
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i += 8)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(i), random.Interesting());
        }

        return bytes;
    }
}
