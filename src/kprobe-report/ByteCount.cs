using System.Globalization;

namespace KprobeTrace.Report;

/// <summary>Sizes as people read them.</summary>
internal static class ByteCount
{
    /// <summary>A number of bytes, in MiB where it is a whole number of them.</summary>
    internal static string Of(string number)
    {
        if (!long.TryParse(number, NumberStyles.Integer, CultureInfo.InvariantCulture, out long bytes))
        {
            return number;
        }

        return bytes >= 1 << 20 && bytes % (1 << 20) == 0
            ? string.Create(CultureInfo.InvariantCulture, $"{bytes >> 20} MiB")
            : string.Create(CultureInfo.InvariantCulture, $"{bytes:N0} bytes");
    }
}
