namespace KprobeTrace.Queries;

/// <summary>Writes untrusted text so that it cannot break out of the format it stands in.</summary>
internal static class Utf8Text
{
    /// <summary>Bytes of a name that are printed: Linux has none longer, but a trace may hold any.</summary>
    private const int MaxName = 1024;

    private static ReadOnlySpan<byte> HexDigits => "0123456789abcdef"u8;

    /// <summary>Writes text for people: control characters appear as <c>\n</c>, <c>\t</c> or <c>\xNN</c>.</summary>
    public static void WriteVisible(this Utf8Output output, ReadOnlySpan<byte> utf8)
    {
        int plain = 0;
        for (int i = 0; i < utf8.Length; i++)
        {
            byte value = utf8[i];
            bool c1 = value == 0xC2 && i + 1 < utf8.Length && utf8[i + 1] < 0xA0;
            if (value is >= 0x20 and not 0x7F && !c1)
            {
                continue;
            }

            output.Write(utf8[plain..i]);
            output.WriteByte((byte)'\\');
            if (value is (byte)'\n' or (byte)'\t' or (byte)'\r')
            {
                output.WriteByte(value == '\n' ? (byte)'n' : value == '\t' ? (byte)'t' : (byte)'r');
            }
            else
            {
                value = c1 ? utf8[++i] : value;
                output.WriteByte((byte)'x');
                output.WriteByte(HexDigits[value >> 4]);
                output.WriteByte(HexDigits[value & 0xF]);
            }

            plain = i + 1;
        }

        output.Write(utf8[plain..]);
    }

    /// <summary>Writes a name for people: as <see cref="WriteVisible"/> does, a long one cut off by <c>…</c>.</summary>
    public static void WriteName(this Utf8Output output, ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length <= MaxName)
        {
            output.WriteVisible(utf8);
            return;
        }

        int end = MaxName;
        while (end > 0 && (utf8[end] & 0xC0) == 0x80)
        {
            end--;
        }

        output.WriteVisible(utf8[..end]);
        output.Write("…"u8);
    }

    /// <summary>Writes a JSON string with its quotes.</summary>
    /// <remarks>
    /// <c>&lt;</c> is escaped too, so that the text may stand in a script element of an HTML page. Bytes that are no
    /// UTF-8 do not come from SQLite's text functions as this project uses them; they pass unchanged.
    /// </remarks>
    public static void WriteJsonString(this Utf8Output output, ReadOnlySpan<byte> utf8)
    {
        output.WriteByte((byte)'"');
        int plain = 0;
        for (int i = 0; i < utf8.Length; i++)
        {
            byte value = utf8[i];
            if (value is >= 0x20 and not (byte)'"' and not (byte)'\\' and not (byte)'<' and not 0x7F)
            {
                continue;
            }

            output.Write(utf8[plain..i]);
            plain = i + 1;
            output.WriteByte((byte)'\\');
            switch (value)
            {
                case (byte)'"' or (byte)'\\':
                    output.WriteByte(value);
                    break;
                case (byte)'\n':
                    output.WriteByte((byte)'n');
                    break;
                case (byte)'\t':
                    output.WriteByte((byte)'t');
                    break;
                default:
                    output.Write("u00"u8);
                    output.WriteByte(HexDigits[value >> 4]);
                    output.WriteByte(HexDigits[value & 0xF]);
                    break;
            }
        }

        output.Write(utf8[plain..]);
        output.WriteByte((byte)'"');
    }

    /// <summary>Writes a CSV field (RFC 4180), quoted where it has to be.</summary>
    public static void WriteCsvField(this Utf8Output output, ReadOnlySpan<byte> utf8)
    {
        if (utf8.IndexOfAny(",\"\n\r"u8) < 0)
        {
            output.Write(utf8);
            return;
        }

        output.WriteByte((byte)'"');
        int quote;
        while ((quote = utf8.IndexOf((byte)'"')) >= 0)
        {
            output.Write(utf8[..(quote + 1)]);
            output.WriteByte((byte)'"');
            utf8 = utf8[(quote + 1)..];
        }

        output.Write(utf8);
        output.WriteByte((byte)'"');
    }

    /// <summary>Writes bytes as hexadecimal digits.</summary>
    public static void WriteHexBytes(this Utf8Output output, ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            output.WriteByte(HexDigits[value >> 4]);
            output.WriteByte(HexDigits[value & 0xF]);
        }
    }
}
