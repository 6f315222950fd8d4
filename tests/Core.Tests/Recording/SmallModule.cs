namespace KprobeTrace.Tests.Recording;

/// <summary>A module of one function, a word of data and an init function.</summary>
/// <param name="Name">Its name, with which those of its symbols begin.</param>
/// <param name="Core">Where its function lies.</param>
/// <param name="Init">Where its init function lies; 0 where it has none and its function is called instead.</param>
/// <param name="Result">What its init function returns.</param>
internal sealed record SmallModule(string Name, ulong Core, ulong Init, int Result = 0)
{
    public const int CoreSize = 0x100;
    public const int InitSize = 0x40;

    /// <summary>Where its word of data is, behind its function.</summary>
    public const int DataOffset = 0x10;

    /// <summary>The value of its word of data.</summary>
    public uint Value => (uint)(0x1000_0000 + Name.Length);

    public string Function => Name + "_fn";

    public string Data => Name + "_data";

    public string InitName => Name + "_init";

    /// <summary>A nop, and the result 0.</summary>
    public byte[] Text => [0x90, 0x31, 0xC0, 0xC3, .. new byte[DataOffset - 4], .. BitConverter.GetBytes(Value)];

    public byte[] InitText => [0x90, 0xB8, .. BitConverter.GetBytes(Result), 0xC3];
}
