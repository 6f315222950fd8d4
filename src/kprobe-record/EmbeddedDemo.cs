using System.Reflection;

namespace KprobeTrace.Record;

/// <summary>The demo kernel that is embedded in the tool.</summary>
internal static class EmbeddedDemo
{
    /// <summary>The name it goes by in traces.</summary>
    public const string Name = "demo.elf";

    /// <summary>Reads the image.</summary>
    public static ReadOnlyMemory<byte> Read()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(Name)
            ?? throw new InvalidOperationException("the demo kernel is missing from this build");
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
