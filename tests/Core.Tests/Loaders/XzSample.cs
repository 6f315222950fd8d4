namespace KprobeTrace.Tests.Loaders;

/// <summary>The files that Data/make.py wrote, and the bytes it packed into them.</summary>
internal static class XzSample
{
    public static byte[] Plain { get; } = MakePlain();

    public static byte[] Read(string name) =>
        File.ReadAllBytes(Guests.Repository.PathOf($"tests/Core.Tests/Loaders/Data/{name}"));

    private static byte[] MakePlain()
    {
        byte[] plain = new byte[20000];
        ulong state = 1;
        for (int i = 0; i < plain.Length; i++)
        {
            state = (state * 6364136223846793005) + 1442695040888963407;
            ulong top = state >> 33;
            plain[i] = (top & 7) switch
            {
                0 => 0xE8,
                1 => 0xE9,
                2 or 4 => 0x00,
                3 or 5 => 0xFF,
                6 => 0x01,
                _ => (byte)(top >> 8),
            };
        }

        return plain;
    }
}
